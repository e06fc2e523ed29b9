package dev.recurrent.evaluation.option;

import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** How tasks measure, wherever they do. */
public final class MeasureOption {

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

    /**
     * Returns what all tasks are given, but for texts and data.
     *
     * @throws dev.recurrent.evaluation.InvalidInputException if a value is out of range
     */
    public TaskOptions options() {
        return TaskOptions.DEFAULT.withShots(shots).withLimit(limit).withSeed(seed);
    }

    /** Returns the lengths at which a task is wanted; 0 alone for its own. */
    public List<Integer> lengths(TaskType type) {
        return type.hasLength() && !lengths.isEmpty() ? lengths : List.of(0);
    }

    /**
     * Gives a task's options a length.
     *
     * @param options the task's
     * @param type of the task
     * @param length one of {@link #lengths}
     * @throws dev.recurrent.evaluation.InvalidInputException if the stride does not fit the length
     */
    public TaskOptions sized(TaskOptions options, TaskType type, int length) {
        TaskOptions sized = options.withLength(length);
        return type.hasLength() && stride > 0 ? sized.withStride(stride) : sized;
    }

    /** Returns whether figures are comparable: whether everything is scored. */
    public boolean isWhole() {
        return limit == 0;
    }

    /** Puts what was chosen into an evaluation's settings. */
    public void describe(Map<String, Object> settings) {
        settings.put("seq_len", lengths.isEmpty() ? null : lengths);
        settings.put("stride", stride == 0 ? null : stride);
        settings.put("num_fewshot", shots);
        settings.put("limit", limit == 0 ? null : limit);
        settings.put("seed", seed);
    }
}
