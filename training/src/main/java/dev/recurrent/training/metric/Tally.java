package dev.recurrent.training.metric;

/**
 * A quantity summed over counted tokens.
 *
 * @param sum the sum
 * @param count how many tokens it is over
 */
record Tally(double sum, long count) {

    static final Tally NONE = new Tally(0, 0);

    Tally plus(Tally other) {
        return new Tally(sum + other.sum, count + other.count);
    }

    /** The mean of a token; NaN over none, as DJL's evaluators have it. */
    double mean() {
        return count == 0 ? Double.NaN : sum / count;
    }
}
