package dev.recurrent.evaluation.task;

import java.nio.file.Path;

/**
 * What the user chose for all tasks.
 *
 * @param text a text file, for tasks that score one; null for none
 * @param limit how many samples are scored, in the task's own unit; 0 for all
 */
public record TaskOptions(Path text, long limit) {

    /** Checks the values. */
    public TaskOptions {
        if (limit < 0) {
            throw new IllegalArgumentException("limit must be >= 0, not " + limit);
        }
    }
}
