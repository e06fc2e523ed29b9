package dev.recurrent.evaluation.catalog;

import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.choice.Arc;
import dev.recurrent.evaluation.task.choice.HellaSwag;
import dev.recurrent.evaluation.task.choice.Lambada;
import dev.recurrent.evaluation.task.choice.Piqa;
import dev.recurrent.evaluation.task.choice.PlainChoice;
import dev.recurrent.evaluation.task.choice.WinoGrande;
import dev.recurrent.evaluation.task.needle.NeedleKind;
import dev.recurrent.evaluation.task.needle.Phonebook;
import dev.recurrent.evaluation.task.recall.RecallKind;
import dev.recurrent.evaluation.task.text.Perplexity;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * All tasks by name. A new one is a class and a line here. Wherever a task is named, users may also
 * give the path of a {@code .json} file that describes one of their own.
 */
public final class Tasks {

    private static final List<TaskType> ALL =
            Stream.of(
                            Arc.CHALLENGE,
                            Arc.EASY,
                            HellaSwag.TYPE,
                            Lambada.TYPE,
                            Piqa.TYPE,
                            PlainChoice.TYPE,
                            WinoGrande.TYPE,
                            Perplexity.TYPE,
                            RecallKind.MQAR.type(),
                            RecallKind.SELECTIVE_COPYING.type(),
                            RecallKind.INDUCTION_HEADS.type(),
                            NeedleKind.SINGLE_1.type(),
                            NeedleKind.SINGLE_2.type(),
                            NeedleKind.SINGLE_3.type(),
                            Phonebook.TYPE)
                    .sorted(Comparator.comparing(TaskType::name))
                    .toList();

    private Tasks() {}

    /** Returns all kinds of tasks, by name. */
    public static List<TaskType> all() {
        return ALL;
    }

    /** Returns all names, in order. */
    public static List<String> names() {
        return ALL.stream().map(TaskType::name).toList();
    }

    /**
     * Finds a kind of task.
     *
     * @param name one of {@link #names()}, or the path of a task file, which ends with {@code
     *     .json}
     * @return the kind; empty if there is none of that name
     * @throws dev.recurrent.evaluation.InvalidInputException if there is no such task file or it is
     *     malformed
     */
    public static Optional<TaskType> find(String name) {
        if (name.endsWith(TaskFile.SUFFIX)) {
            return Optional.of(TaskFile.read(Path.of(name)));
        }
        return ALL.stream().filter(type -> type.name().equals(name)).findFirst();
    }

    /**
     * Makes a task, checking its input.
     *
     * @param name one of {@link #names()}, or the path of a task file
     * @param options what the user chose
     * @return the task
     * @throws dev.recurrent.evaluation.InvalidInputException if its input is missing or malformed
     * @throws IOException if its input cannot be read
     */
    public static Task create(String name, TaskOptions options) throws IOException {
        return find(name).orElseThrow().factory().create(options);
    }
}
