package dev.recurrent.evaluation.verify;

/**
 * One way of computing, compared with what was expected.
 *
 * @param name the way, such as {@code single steps}
 * @param error max|error| / max|expected| of the logits, infinite where one is not finite; for
 *     greedy continuation the part of the tokens that differ
 */
public record Check(String name, double error) {

    /** Returns whether the error is at most {@code tolerance}. */
    public boolean passes(double tolerance) {
        return error <= tolerance;
    }
}
