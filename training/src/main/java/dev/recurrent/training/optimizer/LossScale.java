package dev.recurrent.training.optimizer;

/**
 * What the loss is multiplied by before the backward pass, so that float16 gradients neither vanish
 * nor overflow (arXiv 1710.03740): halved when gradients are not finite, whose update is left out,
 * and doubled after a number of good updates.
 */
public final class LossScale {

    private static final double FIRST = 1 << 16;
    private static final double GREATEST = 1 << 24;
    private static final int GOOD_UPDATES = 2000;

    private double value = FIRST;
    private int good;

    /** Returns the present factor. */
    public double value() {
        return value;
    }

    /** Returns how many good updates there were since the factor changed. */
    public int goodUpdates() {
        return good;
    }

    /** Goes on from an earlier run's values. */
    public void resume(double factor, int goodUpdates) {
        value = factor;
        good = goodUpdates;
    }

    /** Takes note of finite gradients. */
    public void succeeded() {
        if (++good >= GOOD_UPDATES) {
            value = Math.min(GREATEST, 2 * value);
            good = 0;
        }
    }

    /**
     * Takes note of gradients that were not finite.
     *
     * @return whether a smaller factor can be tried
     */
    public boolean overflowed() {
        value /= 2;
        good = 0;
        return value >= 1;
    }
}
