package dev.recurrent.evaluation.score;

import java.util.List;

/**
 * A context and what may follow it.
 *
 * @param context at least one token
 * @param continuations at least one token each
 */
public record Prompt(long[] context, List<long[]> continuations) {

    /** Checks sizes. */
    public Prompt {
        continuations = List.copyOf(continuations);
        if (context.length == 0 || continuations.stream().anyMatch(ids -> ids.length == 0)) {
            throw new IllegalArgumentException("A context and its continuations need tokens");
        }
    }
}
