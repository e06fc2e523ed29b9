package dev.recurrent.evaluation.task;

import java.io.IOException;

/**
 * A kind of task.
 *
 * @param name by which users ask for it
 * @param summary what it measures, in a line
 * @param hasLength whether {@link TaskOptions#length} changes it
 * @param factory makes one
 * @param lines makes one over lines that others read; null where its documents are no lines
 */
public record TaskType(
        String name, String summary, boolean hasLength, Factory factory, LineFactory lines) {

    /** A kind of task that reads or draws its documents itself. */
    public TaskType(String name, String summary, boolean hasLength, Factory factory) {
        this(name, summary, hasLength, factory, null);
    }

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

    /** Makes a task over lines that others read. */
    @FunctionalInterface
    public interface LineFactory {

        /**
         * Makes a task that has no documents of its own.
         *
         * @param options what the user chose; where the lines are does not stand in them
         * @return the task
         * @throws dev.recurrent.evaluation.InvalidInputException if other input is missing or
         *     malformed, or the length is below the task's least
         * @throws IOException if other input cannot be read
         */
        LineTask create(TaskOptions options) throws IOException;
    }
}
