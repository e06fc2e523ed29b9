package dev.recurrent.blocks.nn;

/**
 * How a model normalises.
 *
 * @param epsilon what is added to the mean square
 * @param zeroCentred whether weights are stored minus one
 */
public record NormConfig(double epsilon, boolean zeroCentred) {

    /** Checks the values. */
    public NormConfig {
        if (!(epsilon > 0)) {
            throw new IllegalArgumentException("A norm's epsilon must be > 0, not " + epsilon);
        }
    }

    /** A norm whose weights are stored as they are. */
    public static NormConfig plain(double epsilon) {
        return new NormConfig(epsilon, false);
    }

    /** A norm whose weights are stored minus one. */
    public static NormConfig zeroCentred(double epsilon) {
        return new NormConfig(epsilon, true);
    }
}
