package dev.recurrent.evaluation.statistic;

import dev.recurrent.training.data.Seeds;
import java.io.Serializable;
import java.util.SplittableRandom;
import java.util.function.DoubleBinaryOperator;

/**
 * The standard error of a function of two sums Σx and Σy over observations, by resampling them.
 *
 * <p>In each replicate an observation counts as often as a Poisson variable of mean 1 says, which
 * is the bootstrap's multinomial weight where observations are many, and needs no knowledge of how
 * many there are (Chamandy et al., "Estimating uncertainty for massive data streams", 2012). A
 * weight is a function of seed, observation and replicate alone; so the error does not depend on
 * the order of observations nor on how they were divided.
 */
final class PoissonBootstrap implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The error's own relative standard error is 1 / √(2 · replicates): 2.2 %. */
    static final int REPLICATES = 1000;

    /** P(0). */
    private static final double NONE = Math.exp(-1);

    private final long seed;
    private final ExactSum[] x = sums();
    private final long[] y = new long[REPLICATES];

    PoissonBootstrap(long seed) {
        this.seed = seed;
    }

    private static ExactSum[] sums() {
        ExactSum[] sums = new ExactSum[REPLICATES];
        for (int i = 0; i < REPLICATES; i++) {
            sums[i] = new ExactSum();
        }
        return sums;
    }

    /**
     * Adds an observation.
     *
     * @param identity tells it from all others
     */
    void add(long identity, double valueX, long valueY) {
        SplittableRandom random = Seeds.random(seed, identity);
        for (int i = 0; i < REPLICATES; i++) {
            int weight = poisson(random.nextDouble());
            if (weight > 0) {
                x[i].add(weight * valueX);
                y[i] += weight * valueY;
            }
        }
    }

    void add(PoissonBootstrap other) {
        for (int i = 0; i < REPLICATES; i++) {
            x[i].add(other.x[i]);
            y[i] += other.y[i];
        }
    }

    /** Returns the standard deviation of the function over replicates in which anything counts. */
    double standardError(DoubleBinaryOperator function) {
        double[] values = new double[REPLICATES];
        int count = 0;
        for (int i = 0; i < REPLICATES; i++) {
            if (y[i] > 0) {
                values[count++] = function.applyAsDouble(x[i].value(), y[i]);
            }
        }
        double mean = 0;
        for (int i = 0; i < count; i++) {
            mean += values[i] / count;
        }
        double squares = 0;
        for (int i = 0; i < count; i++) {
            squares += (values[i] - mean) * (values[i] - mean);
        }
        return count < 2 ? Double.NaN : Math.sqrt(squares / (count - 1));
    }

    /** The inverse of the distribution function: P(w) = e⁻¹ / w!. */
    private static int poisson(double uniform) {
        double left = uniform;
        double probability = NONE;
        int weight = 0;
        while (left >= probability && weight < 20) {
            left -= probability;
            weight++;
            probability /= weight;
        }
        return weight;
    }
}
