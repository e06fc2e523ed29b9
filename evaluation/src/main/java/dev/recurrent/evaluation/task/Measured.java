package dev.recurrent.evaluation.task;

import java.util.List;

/**
 * What a task found out about a model.
 *
 * @param estimates its scores
 * @param parts the scores of parts of it, by bucket; empty where it has none
 * @param documents how many documents were scored
 * @param tokens how many tokens went through the model
 * @param stateBytes the largest state of one sequence; 0 where none was looked at
 */
public record Measured(
        List<Estimate> estimates,
        List<Estimate> parts,
        long documents,
        long tokens,
        long stateBytes) {

    /** Copies the lists. */
    public Measured {
        estimates = List.copyOf(estimates);
        parts = List.copyOf(parts);
    }

    /** What a tally says. */
    public static Measured of(Tally tally) {
        return new Measured(
                tally.wholes(),
                tally.parts(),
                tally.documents(),
                tally.tokens(),
                tally.stateBytes());
    }
}
