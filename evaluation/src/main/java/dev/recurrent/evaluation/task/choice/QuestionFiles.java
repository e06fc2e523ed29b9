package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.TaskOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Where a task's questions are.
 *
 * @param questions those that are asked
 * @param examples those that may stand before them, answered; null to draw them from the questions
 */
public record QuestionFiles(Path questions, Path examples) {

    /**
     * The files of a task in the folder that the user named: {@code <task>.jsonl}, and examples in
     * {@code <task>_train.jsonl} or {@code <task>_fewshot.jsonl} where there is one.
     *
     * @param task its name
     * @param options what the user chose
     * @throws InvalidInputException if no folder was named or it has no questions
     */
    static QuestionFiles of(String task, TaskOptions options) {
        Path folder = options.data();
        String name = task + ".jsonl";
        if (folder == null) {
            throw new InvalidInputException(
                    "Task " + task + " needs --data DIR, a folder with " + name + " in it");
        }
        Path questions = folder.resolve(name);
        if (!Files.isRegularFile(questions)) {
            throw new InvalidInputException(
                    "Task " + task + " needs " + questions + ", which is not there");
        }
        Path examples =
                Stream.of("_train", "_fewshot")
                        .map(suffix -> folder.resolve(task + suffix + ".jsonl"))
                        .filter(Files::isRegularFile)
                        .findFirst()
                        .orElse(null);
        return new QuestionFiles(questions, examples);
    }
}
