package dev.recurrent.evaluation.task;

import java.io.Serializable;
import java.util.Comparator;

/**
 * A part of a task's questions, by where they stand on an axis.
 *
 * @param axis such as {@code position} (tokens before the scored one) or {@code depth} (percent)
 * @param from the least value in it
 * @param to the first value after it; equal to {@code from} for a single value
 */
public record Bucket(String axis, long from, long to) implements Serializable, Comparable<Bucket> {

    private static final Comparator<Bucket> ORDER =
            Comparator.comparing(Bucket::axis)
                    .thenComparingLong(Bucket::from)
                    .thenComparingLong(Bucket::to);

    /** A single value. */
    public static Bucket at(String axis, long value) {
        return new Bucket(axis, value, value);
    }

    @Override
    public int compareTo(Bucket other) {
        return ORDER.compare(this, other);
    }

    /** Returns {@code 256-511}, or {@code 40} for a single value. */
    public String label() {
        return to > from + 1 ? from + "-" + (to - 1) : Long.toString(from);
    }
}
