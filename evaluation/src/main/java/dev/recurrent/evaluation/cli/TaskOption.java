package dev.recurrent.evaluation.cli;

import dev.recurrent.evaluation.Suggestions;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.option.MeasureOption;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Which tasks, and what they are given. */
final class TaskOption {

    /**
     * A task at one length.
     *
     * @param length as the user chose it; 0 for the task's own
     */
    record Sized(Task task, int length) {}

    @Option(
            names = {"--tasks", "--task", "-t"},
            split = ",",
            paramLabel = "TASK",
            description = "Tasks (see --list), or .json files that describe one.")
    private List<String> names = List.of();

    @Option(
            names = "--text",
            paramLabel = "PATH",
            description =
                    "The text of perplexity and of haystacks: a text file, a folder of .txt files,"
                            + " or a .jsonl file with a \"text\" (default: a play in the jar).")
    private Path text;

    @Option(
            names = "--data",
            paramLabel = "DIR",
            description = "The folder with the tasks' JSONL files, such as hellaswag.jsonl.")
    private Path data;

    @Mixin private MeasureOption measure;

    /** Returns whether any task is named. */
    boolean isGiven() {
        return !names.isEmpty();
    }

    /** Returns what the tasks are given, but for the length. */
    TaskOptions options() {
        return measure.options().withText(text).withData(data);
    }

    /** Returns whether everything is scored. */
    boolean isWhole() {
        return measure.isWhole();
    }

    /**
     * Makes the tasks, at all lengths that they know.
     *
     * @throws dev.recurrent.evaluation.InvalidInputException if there is no such task, or its input
     *     is missing or malformed
     * @throws IOException if its input cannot be read
     */
    List<Sized> tasks() throws IOException {
        List<TaskType> types = new ArrayList<>();
        for (String name : names) {
            types.add(
                    Tasks.find(name)
                            .orElseThrow(() -> Suggestions.unknown("task", name, Tasks.names())));
        }
        List<Sized> tasks = new ArrayList<>();
        for (TaskType type : types) {
            for (int length : measure.lengths(type)) {
                TaskOptions sized = measure.sized(options(), type, length);
                tasks.add(new Sized(type.factory().create(sized), length));
            }
        }
        return tasks;
    }

    /** Puts what was chosen into an evaluation's settings. */
    void describe(Map<String, Object> settings) {
        settings.put("tasks", names);
        settings.put("text", text == null ? null : text.toString());
        settings.put("data", data == null ? null : data.toString());
        measure.describe(settings);
    }
}
