package dev.recurrent.evaluation.statistic;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * What two models made of the same units, such as documents: for each of these the sums (x, y) of
 * both. What makes a unit hard for one mostly makes it hard for the other, and cancels.
 *
 * <p>With f the aggregation as a function of the ratio θ = Σx / Σy, the difference is f(θ₂) −
 * f(θ₁). To first order (the delta method) unit i moves it by
 *
 * <pre>eᵢ = f′(θ₂) (x₂ᵢ − θ₂ y₂ᵢ) / Σy₂ − f′(θ₁) (x₁ᵢ − θ₁ y₁ᵢ) / Σy₁</pre>
 *
 * and its standard error is √(m / (m − 1) · Σ eᵢ²) for m units. Where each unit is one observation
 * of a mean that is s / √m, s the standard deviation of the differences.
 */
public final class PairedSample {

    /** Of the permutation test: p-values are known to 1e-4. */
    private static final int PERMUTATIONS = 9_999;

    /** With so many units nobody can tell the permutations from their normal limit. */
    private static final int MANY = 20_000;

    /** Sums in another order differ by rounding; such are the same difference. */
    private static final double ROUNDING = 1 - 1e-9;

    private final Aggregation aggregation;
    private final List<double[]> units = new ArrayList<>();

    /**
     * Constructs a sample of nothing.
     *
     * @param aggregation what the sums are to become
     */
    public PairedSample(Aggregation aggregation) {
        this.aggregation = aggregation;
    }

    /**
     * Adds a unit.
     *
     * @param x1 Σx of the first model; its y are counts for {@link Aggregation#MEAN}
     * @param y1 Σy of the first model
     * @param x2 Σx of the second
     * @param y2 Σy of the second
     */
    public void add(double x1, double y1, double x2, double y2) {
        units.add(new double[] {x1, y1, x2, y2});
    }

    /**
     * Returns the second model's number less the first's.
     *
     * @param seed of the permutation test
     */
    public Difference difference(long seed) {
        double[] sums = sums();
        double value = value(sums);
        return new Difference(
                value, standardError(sums), permutation(sums, value, seed), units.size());
    }

    private double[] sums() {
        double[] sums = new double[4];
        for (double[] unit : units) {
            for (int i = 0; i < sums.length; i++) {
                sums[i] += unit[i];
            }
        }
        return sums;
    }

    private double value(double[] sums) {
        return aggregation.of(sums[2], sums[3]) - aggregation.of(sums[0], sums[1]);
    }

    private double standardError(double[] sums) {
        int m = units.size();
        if (m < 2) {
            return Double.NaN;
        }
        double squares = 0;
        for (double[] unit : units) {
            double move =
                    influence(unit[2], unit[3], sums[2], sums[3])
                            - influence(unit[0], unit[1], sums[0], sums[1]);
            squares += move * move;
        }
        return Math.sqrt(m / (m - 1.0) * squares);
    }

    private double influence(double x, double y, double sumX, double sumY) {
        double ratio = sumX / sumY;
        return aggregation.slope(ratio) * (x - ratio * y) / sumY;
    }

    /**
     * Between equal models it does not matter whose sums are whose: p is the part of random swaps,
     * unit by unit, that make a difference at least as large, what was seen counted as one of them
     * (Phipson and Smyth, "Permutation p-values should never be zero", 2010).
     */
    private double permutation(double[] sums, double value, long seed) {
        if (units.size() < 2 || units.size() > MANY || Double.isNaN(value)) {
            return Double.NaN;
        }
        SplittableRandom random = new SplittableRandom(seed);
        int extreme = 1;
        for (int i = 0; i < PERMUTATIONS; i++) {
            if (Math.abs(value(swapped(sums, random))) >= Math.abs(value) * ROUNDING) {
                extreme++;
            }
        }
        return extreme / (PERMUTATIONS + 1.0);
    }

    /** The sums after each unit's were swapped, or not, with equal chances. */
    private double[] swapped(double[] sums, SplittableRandom random) {
        double x = 0;
        double y = 0;
        long bits = 0;
        for (int i = 0; i < units.size(); i++) {
            if (i % Long.SIZE == 0) {
                bits = random.nextLong();
            }
            if ((bits >>> i & 1) == 1) {
                double[] unit = units.get(i);
                x += unit[2] - unit[0];
                y += unit[3] - unit[1];
            }
        }
        return new double[] {sums[0] + x, sums[1] + y, sums[2] - x, sums[3] - y};
    }
}
