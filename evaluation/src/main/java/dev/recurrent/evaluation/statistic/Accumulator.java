package dev.recurrent.evaluation.statistic;

import java.io.Serializable;

/**
 * Observations of one quantity, summed so that neither their order nor their division among
 * machines shows: accumulators of parts, added, equal the accumulator of the whole.
 */
public final class Accumulator implements Serializable {

    private static final long serialVersionUID = 1L;

    private final Aggregation aggregation;
    private final ExactSum x = new ExactSum();
    private final ExactSum squares = new ExactSum();
    private final PoissonBootstrap bootstrap;
    private long y;
    private long count;

    /**
     * Constructs an accumulator of nothing.
     *
     * @param aggregation what the observations are to become
     * @param seed of the bootstrap, equal in all parts
     */
    public Accumulator(Aggregation aggregation, long seed) {
        this.aggregation = aggregation;
        bootstrap = aggregation == Aggregation.MEAN ? null : new PoissonBootstrap(seed);
    }

    /**
     * Adds an observation.
     *
     * @param identity tells it from all others, wherever they are added
     * @param value x
     * @param weight y, how many units x belongs to; not looked at by {@link Aggregation#MEAN}
     * @throws ArithmeticException if the value is not finite
     */
    public void add(long identity, double value, long weight) {
        count++;
        x.add(value);
        if (bootstrap == null) {
            squares.add(value * value);
        } else {
            y += weight;
            bootstrap.add(identity, value, weight);
        }
    }

    /** Adds the observations of another part. */
    public void add(Accumulator other) {
        count += other.count;
        y += other.y;
        x.add(other.x);
        squares.add(other.squares);
        if (bootstrap != null) {
            bootstrap.add(other.bootstrap);
        }
    }

    /** Returns the number of observations. */
    public long count() {
        return count;
    }

    /** Returns the number; NaN of nothing. */
    public double value() {
        return aggregation.of(x.value(), bootstrap == null ? count : y);
    }

    /** Returns its standard error; NaN for fewer than two observations. */
    public double standardError() {
        if (count < 2) {
            return Double.NaN;
        }
        if (bootstrap != null) {
            return bootstrap.standardError(aggregation::of);
        }
        double mean = value();
        double variance = Math.max(0, (squares.value() - mean * x.value()) / (count - 1));
        return Math.sqrt(variance / count);
    }
}
