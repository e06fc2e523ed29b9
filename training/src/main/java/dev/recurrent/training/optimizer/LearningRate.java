package dev.recurrent.training.optimizer;

import ai.djl.training.tracker.Tracker;

/**
 * A learning rate that warms up linearly, then follows a curve to the end: update n of {@code
 * warmUp} has n/warmUp of the peak; the last one has {@code last} of it.
 *
 * @param curve what follows the warm-up
 * @param peak the greatest rate
 * @param warmUp updates of the warm-up; 0 for none
 * @param total updates in all; later ones keep the last rate
 * @param last the last rate as a part of the peak (ignored by CONSTANT)
 */
public record LearningRate(Curve curve, float peak, int warmUp, int total, float last)
        implements Tracker {

    /** What follows the warm-up. */
    public enum Curve {
        /** Half a cosine (arXiv 1608.03983). */
        COSINE,
        /** A straight line. */
        LINEAR,
        /** The peak. */
        CONSTANT
    }

    /** Checks the values. */
    public LearningRate {
        if (!(peak > 0) || Float.isInfinite(peak)) {
            throw new IllegalArgumentException("A learning rate must be > 0, not " + peak);
        }
        if (warmUp < 0 || total < 1 || warmUp > total) {
            throw new IllegalArgumentException(
                    "A warm-up of " + warmUp + " updates does not fit into " + total);
        }
        if (!(last >= 0 && last <= 1)) {
            throw new IllegalArgumentException(
                    "The last learning rate must be 0 to 1 times the peak, not " + last);
        }
    }

    /** The same rate always. */
    public static LearningRate constant(float rate) {
        return new LearningRate(Curve.CONSTANT, rate, 0, Integer.MAX_VALUE, 1);
    }

    /**
     * Warm-up, then half a cosine down to a tenth.
     *
     * @param peak the greatest rate
     * @param warmUp updates of the warm-up
     * @param total updates in all
     */
    public static LearningRate cosine(float peak, int warmUp, int total) {
        return new LearningRate(Curve.COSINE, peak, warmUp, total, 0.1f);
    }

    /**
     * Returns a rate.
     *
     * @param update which update, from 1
     */
    @Override
    public float getNewValue(int update) {
        if (update < warmUp) {
            return peak * update / warmUp;
        }
        double done = Math.min(1, (double) (update - warmUp) / Math.max(1, total - warmUp));
        double part =
                switch (curve) {
                    case COSINE -> (1 + Math.cos(Math.PI * done)) / 2;
                    case LINEAR -> 1 - done;
                    case CONSTANT -> 1;
                };
        return (float) (peak * (curve == Curve.CONSTANT ? 1 : last + (1 - last) * part));
    }
}
