package dev.recurrent.evaluation.catalog;

import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.needle.NeedleKind;
import dev.recurrent.evaluation.task.needle.Phonebook;
import dev.recurrent.evaluation.task.recall.RecallKind;
import dev.recurrent.evaluation.task.text.Perplexity;
import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** All tasks by name. A new one is a class and a line here. */
public final class Tasks {

    private static final List<TaskType> ALL =
            Stream.of(
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

    /** Finds a kind of task. */
    public static Optional<TaskType> find(String name) {
        return ALL.stream().filter(type -> type.name().equals(name)).findFirst();
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
        return find(name).orElseThrow().factory().create(options);
    }
}
