package dev.recurrent.evaluation.statistic;

/** The standard normal distribution. */
public final class Normal {

    /** Where the fraction converges faster, and 1 − erf would begin to lose digits. */
    private static final double SPLIT = 2;

    private static final int TERMS = 200;

    private Normal() {}

    /**
     * Returns how probable a value at least as far from 0 is: P(|Z| ≥ |z|) = erfc(|z| / √2).
     *
     * @param z any number
     * @return in [0, 1], to about 13 digits of its own; NaN for NaN
     */
    public static double twoSided(double z) {
        if (Double.isNaN(z)) {
            return Double.NaN;
        }
        double x = Math.abs(z) / Math.sqrt(2);
        return x < SPLIT ? 1 - series(x) : fraction(x);
    }

    /** erf by its series of positive terms (Abramowitz and Stegun, 7.1.6). */
    private static double series(double x) {
        double term = x;
        double sum = x;
        for (int n = 1; n < TERMS && term > 0; n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }

    /** erfc by its continued fraction (Abramowitz and Stegun, 7.1.14), from its far end. */
    private static double fraction(double x) {
        double tail = x;
        for (int n = TERMS; n > 0; n--) {
            tail = x + n / 2.0 / tail;
        }
        return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
    }
}
