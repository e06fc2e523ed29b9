package dev.recurrent.evaluation.score;

import java.util.Arrays;

/**
 * What a model makes of some tokens, in their order.
 *
 * @param logLikelihoods of each, in nats
 * @param predictions the token that it would have chosen in place of each
 * @param targets the tokens
 */
public record Scores(double[] logLikelihoods, long[] predictions, long[] targets) {

    static Scores of(long[] targets) {
        return new Scores(new double[targets.length], new long[targets.length], targets);
    }

    /** Returns the log-likelihood of all tokens together, in nats. */
    public double sum() {
        return Arrays.stream(logLikelihoods).sum();
    }

    /** Returns whether the model would have chosen this token. */
    public boolean isGreedy(int index) {
        return predictions[index] == targets[index];
    }

    /** Returns whether the model would have chosen every token. */
    public boolean isGreedy() {
        return Arrays.equals(predictions, targets);
    }
}
