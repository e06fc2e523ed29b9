package dev.recurrent.evaluation.task;

import java.util.List;

/**
 * What a task found out about a model.
 *
 * @param metrics its scores
 * @param samples how many things were scored, in the task's own unit
 * @param tokens how many tokens went through the model
 * @param stateBytes the largest state of one sequence
 */
public record Measured(List<Metric> metrics, long samples, long tokens, long stateBytes) {

    /** Copies the list. */
    public Measured {
        metrics = List.copyOf(metrics);
    }
}
