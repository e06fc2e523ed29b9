package dev.recurrent.evaluation.task;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** All tasks by name. A new one is a class and a line here. */
public final class Tasks {

    private interface Factory {
        Task create(TaskOptions options) throws IOException;
    }

    private static final Map<String, Factory> ALL =
            new TreeMap<>(Map.of(Perplexity.NAME, Perplexity::of));

    private Tasks() {}

    /** Returns all names, in order. */
    public static List<String> names() {
        return List.copyOf(ALL.keySet());
    }

    /**
     * Makes a task, checking its input.
     *
     * @param name one of {@link #names()}
     * @param options what the user chose
     * @return the task
     * @throws dev.recurrent.evaluation.InvalidInputException if its input is missing or malformed
     * @throws IOException if its input cannot be read
     */
    public static Task create(String name, TaskOptions options) throws IOException {
        return ALL.get(name).create(options);
    }
}
