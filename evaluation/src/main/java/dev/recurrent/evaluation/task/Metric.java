package dev.recurrent.evaluation.task;

import dev.recurrent.evaluation.statistic.Aggregation;
import java.io.Serializable;

/**
 * A quantity that a task measures.
 *
 * @param name such as {@code word_perplexity}
 * @param direction which way is better
 * @param aggregation how documents' observations become one number
 */
public record Metric(String name, Direction direction, Aggregation aggregation)
        implements Serializable {

    /** Which way a metric is better. */
    public enum Direction {
        HIGHER("↑"),
        LOWER("↓");

        private final String arrow;

        Direction(String arrow) {
            this.arrow = arrow;
        }

        /** Returns the sign that stands in tables. */
        public String arrow() {
            return arrow;
        }
    }

    /** The mean of what is 0 or 1, or between. */
    public static Metric accuracy(String name) {
        return new Metric(name, Direction.HIGHER, Aggregation.MEAN);
    }

    /** exp of a mean of negative log-likelihoods. */
    public static Metric perplexity(String name) {
        return new Metric(name, Direction.LOWER, Aggregation.PERPLEXITY);
    }
}
