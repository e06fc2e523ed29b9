package dev.recurrent.evaluation.task;

import dev.recurrent.evaluation.InvalidInputException;
import java.nio.file.Path;

/**
 * What the user chose for all tasks.
 *
 * @param text a text file, a folder of them, or a JSONL file, for tasks that score texts; null for
 *     none
 * @param data a folder with the JSONL files of tasks that ask questions; null for none
 * @param length of the sequences in tokens, for tasks that have one; 0 for the task's own
 * @param stride how many tokens perplexity's windows move on; 0 for their length
 * @param shots how many answered examples stand before a question
 * @param limit how many documents are scored; 0 for all
 * @param seed of everything that is drawn
 */
public record TaskOptions(
        Path text, Path data, int length, int stride, int shots, long limit, long seed) {

    /** Nothing chosen. */
    public static final TaskOptions DEFAULT = new TaskOptions(null, null, 0, 0, 0, 0, 0);

    /**
     * Checks the values.
     *
     * @throws InvalidInputException if one is negative, or the stride is longer than the length
     */
    public TaskOptions {
        require(length >= 0, "a sequence length of at least 1", length);
        require(shots >= 0, "0 or more examples before a question", shots);
        require(limit >= 0, "a limit of at least 1", limit);
        require(
                stride >= 0 && (stride == 0 || stride <= length),
                "a stride of at least 1 and at most the sequence length " + length,
                stride);
    }

    private static void require(boolean holds, String wanted, long value) {
        if (!holds) {
            throw new InvalidInputException("Tasks need " + wanted + ", not " + value);
        }
    }

    /** Returns these with another text. */
    public TaskOptions withText(Path value) {
        return new TaskOptions(value, data, length, stride, shots, limit, seed);
    }

    /** Returns these with another data folder. */
    public TaskOptions withData(Path value) {
        return new TaskOptions(text, value, length, stride, shots, limit, seed);
    }

    /** Returns these with another length, in tokens. */
    public TaskOptions withLength(int value) {
        return new TaskOptions(text, data, value, stride, shots, limit, seed);
    }

    /** Returns these with another stride, in tokens. */
    public TaskOptions withStride(int value) {
        return new TaskOptions(text, data, length, value, shots, limit, seed);
    }

    /** Returns these with another number of examples before a question. */
    public TaskOptions withShots(int value) {
        return new TaskOptions(text, data, length, stride, value, limit, seed);
    }

    /** Returns these with another limit. */
    public TaskOptions withLimit(long value) {
        return new TaskOptions(text, data, length, stride, shots, value, seed);
    }

    /** Returns these with another seed. */
    public TaskOptions withSeed(long value) {
        return new TaskOptions(text, data, length, stride, shots, limit, value);
    }

    /** Returns the number of documents that are scored of so many. */
    public long limited(long documents) {
        return limit == 0 ? documents : Math.min(limit, documents);
    }
}
