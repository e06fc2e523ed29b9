package dev.recurrent.evaluation.score;

/**
 * Negative log-likelihoods of a text's tokens, summed.
 *
 * @param tokens how many tokens were scored
 * @param sum Σ −log p, in nats
 * @param squares Σ (log p)²
 */
public record Likelihood(long tokens, double sum, double squares) {

    /** No tokens. */
    public static final Likelihood NONE = new Likelihood(0, 0, 0);

    /** Returns this with one more token's negative log-likelihood. */
    Likelihood plus(double nll) {
        return new Likelihood(tokens + 1, sum + nll, squares + nll * nll);
    }

    /** Returns the mean negative log-likelihood of a token, in nats. */
    public double mean() {
        return sum / tokens;
    }

    /**
     * Returns the standard error of {@link #sum}, taking tokens as independent draws; NaN for fewer
     * than two.
     */
    public double standardError() {
        if (tokens < 2) {
            return Double.NaN;
        }
        double variance = Math.max(0, (squares - sum * mean()) / (tokens - 1));
        return Math.sqrt(tokens * variance);
    }
}
