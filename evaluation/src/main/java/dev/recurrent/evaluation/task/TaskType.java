package dev.recurrent.evaluation.task;

import java.io.IOException;

/**
 * A kind of task.
 *
 * @param name by which users ask for it
 * @param summary what it measures, in a line
 * @param hasLength whether {@link TaskOptions#length} changes it
 * @param factory makes one
 */
public record TaskType(String name, String summary, boolean hasLength, Factory factory) {

    /** Makes a task. */
    @FunctionalInterface
    public interface Factory {

        /**
         * Makes a task, checking its input.
         *
         * @param options what the user chose
         * @return the task
         * @throws dev.recurrent.evaluation.InvalidInputException if its input is missing or
         *     malformed, or the length is below the task's least
         * @throws IOException if its input cannot be read
         */
        Task create(TaskOptions options) throws IOException;
    }
}
