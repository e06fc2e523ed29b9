package dev.recurrent.evaluation.statistic;

/**
 * A difference of two measured numbers, the second less the first.
 *
 * @param value the difference
 * @param standardError its standard error; NaN where there is none
 * @param permutation the p-value of a permutation test; NaN where none was made
 * @param pairs over how many pairs it was taken; 0 for independent measurements
 */
public record Difference(double value, double standardError, double permutation, long pairs) {

    /**
     * The difference of numbers from independent samples: its error is √(a² + b²).
     *
     * @param first a number
     * @param firstError its standard error
     * @param second another
     * @param secondError its standard error
     */
    public static Difference independent(
            double first, double firstError, double second, double secondError) {
        return new Difference(second - first, Math.hypot(firstError, secondError), Double.NaN, 0);
    }

    /** Returns the difference in standard errors; NaN where the error is 0 or none. */
    public double z() {
        return standardError > 0 ? value / standardError : Double.NaN;
    }

    /**
     * Returns how probable a difference at least as large is, in either direction, between numbers
     * that do not differ: by the normal distribution of z, or by permutation where there is no z.
     */
    public double p() {
        double normal = Normal.twoSided(z());
        return Double.isNaN(normal) ? permutation : normal;
    }
}
