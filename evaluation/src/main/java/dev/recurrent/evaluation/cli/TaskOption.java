package dev.recurrent.evaluation.cli;

import dev.recurrent.evaluation.Suggestions;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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
            names = "--seq-len",
            split = ",",
            paramLabel = "N",
            converter = TokenCount.class,
            description =
                    "Lengths of sequences in tokens, such as 256,1k,16k, for tasks that have one.")
    private List<Integer> lengths = List.of();

    @Option(
            names = "--stride",
            paramLabel = "N",
            defaultValue = "0",
            description =
                    "Let perplexity's windows overlap: each stands N tokens after the one before,"
                            + " and of each the last N tokens are scored.")
    private int stride;

    @Option(
            names = "--num-fewshot",
            paramLabel = "N",
            defaultValue = "0",
            description = "Answered examples before a question (default: ${DEFAULT-VALUE}).")
    private int shots;

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

    @Option(
            names = {"--limit", "-L"},
            paramLabel = "N",
            defaultValue = "0",
            description =
                    "Score N documents only (of a text file, its first N lines). Figures are then"
                            + " not comparable.")
    private long limit;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description =
                    "Seed of all that is drawn, and of the errors' bootstrap (default:"
                            + " ${DEFAULT-VALUE}).")
    private long seed;

    /** Returns whether any task is named. */
    boolean isGiven() {
        return !names.isEmpty();
    }

    /** Returns what the tasks are given, but for the length. */
    TaskOptions options() {
        return TaskOptions.DEFAULT
                .withText(text)
                .withData(data)
                .withShots(shots)
                .withLimit(limit)
                .withSeed(seed);
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
            boolean sized = type.hasLength() && !lengths.isEmpty();
            for (int length : sized ? lengths : List.of(0)) {
                tasks.add(new Sized(type.factory().create(sized(type, length)), length));
            }
        }
        return tasks;
    }

    private TaskOptions sized(TaskType type, int length) {
        TaskOptions options = options().withLength(length);
        return type.hasLength() && stride > 0 ? options.withStride(stride) : options;
    }

    /** Puts what was chosen into an evaluation's settings. */
    void describe(Map<String, Object> settings) {
        settings.put("tasks", names);
        settings.put("seq_len", lengths.isEmpty() ? null : lengths);
        settings.put("stride", stride == 0 ? null : stride);
        settings.put("num_fewshot", shots);
        settings.put("text", text == null ? null : text.toString());
        settings.put("data", data == null ? null : data.toString());
        settings.put("limit", limit == 0 ? null : limit);
        settings.put("seed", seed);
    }
}
