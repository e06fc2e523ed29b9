package dev.recurrent.evaluation.task;

/**
 * One measured number.
 *
 * @param name such as {@code word_perplexity}
 * @param direction which way is better
 * @param value the number
 * @param standardError of the number; NaN where there is none
 */
public record Metric(String name, Direction direction, double value, double standardError) {

    /** Which way a metric is better. */
    public enum Direction {
        HIGHER("↑"),
        LOWER("↓"),
        /** Neither: the number describes the run. */
        NONE("");

        private final String arrow;

        Direction(String arrow) {
            this.arrow = arrow;
        }

        /** Returns the sign that stands in tables. */
        public String arrow() {
            return arrow;
        }
    }

    /** A number that is better when lower. */
    public static Metric lower(String name, double value, double standardError) {
        return new Metric(name, Direction.LOWER, value, standardError);
    }

    /** A number that is better when higher. */
    public static Metric higher(String name, double value, double standardError) {
        return new Metric(name, Direction.HIGHER, value, standardError);
    }
}
