package dev.recurrent.blocks.rule;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * What one look at the positions on the host tells, so that no rule has to look again.
 *
 * @param length T
 * @param padded whether some token is padding
 * @param compact whether padding, if any, stands only at the ends of rows
 * @param startsFresh whether every row begins with a document
 * @param resetsAtStart whether some row begins with a document
 * @param resetsInside whether a document starts inside a row
 * @param last the greatest position
 * @param realLengths how many tokens of each row are not padding
 */
record PositionLayout(
        int length,
        boolean padded,
        boolean compact,
        boolean startsFresh,
        boolean resetsAtStart,
        boolean resetsInside,
        long last,
        long[] realLengths) {

    /** The layout of rows start, start + 1, … */
    static PositionLayout ofRange(long batch, long length, long start) {
        long[] lengths = new long[Math.toIntExact(batch)];
        Arrays.fill(lengths, length);
        boolean fresh = start == 0;
        return new PositionLayout(
                Math.toIntExact(length),
                false,
                true,
                fresh,
                fresh,
                false,
                start + length - 1,
                lengths);
    }

    /** The layout of one token a row that continues a document, {@code last} at the farthest. */
    static PositionLayout ofContinued(long batch, long last) {
        long[] lengths = new long[Math.toIntExact(batch)];
        Arrays.fill(lengths, 1);
        return new PositionLayout(1, false, true, false, false, false, last, lengths);
    }

    /**
     * Looks at positions.
     *
     * @param values B·T values, row by row
     * @param batch B
     * @param length T
     * @return their layout
     * @throws IllegalArgumentException if a value neither starts a document, nor is padding, nor
     *     follows the one before it
     */
    static PositionLayout of(long[] values, long batch, long length) {
        int width = Math.toIntExact(length);
        boolean padded = false;
        boolean compact = true;
        boolean startsFresh = true;
        boolean resetsAtStart = false;
        boolean resetsInside = false;
        long last = 0;
        long[] lengths = new long[Math.toIntExact(batch)];
        for (int row = 0; row < batch; row++) {
            long previous = Positions.PADDING;
            int real = 0;
            for (int t = 0; t < width; t++) {
                long position = values[row * width + t];
                if (position == Positions.PADDING) {
                    padded = true;
                    continue;
                }
                check(row, t, position, previous, real);
                compact &= real == t;
                if (real == 0) {
                    startsFresh &= position == 0;
                    resetsAtStart |= position == 0;
                } else {
                    resetsInside |= position == 0;
                }
                previous = position;
                last = Math.max(last, position);
                real++;
            }
            startsFresh &= real > 0;
            lengths[row] = real;
        }
        return new PositionLayout(
                width, padded, compact, startsFresh, resetsAtStart, resetsInside, last, lengths);
    }

    private static void check(int row, int t, long position, long previous, int real) {
        boolean follows = real == 0 ? position >= 0 : position == previous + 1;
        if (position != 0 && !follows) {
            throw new IllegalArgumentException(
                    "Position "
                            + position
                            + " in row "
                            + row
                            + ", column "
                            + t
                            + " must be -1 (padding), 0 (a new document)"
                            + (real == 0 ? " or greater" : " or " + (previous + 1)));
        }
    }

    /**
     * Returns whether a document starts where a state could still be seen: inside a row, or at the
     * first token of some rows but not of all.
     */
    boolean hasResets() {
        return resetsInside || (resetsAtStart && !startsFresh);
    }

    /** Returns the indices of values that are 0 or begin a row. */
    int[] documentStarts(long[] values) {
        return IntStream.range(0, values.length)
                .filter(i -> i % length == 0 || values[i] == 0)
                .toArray();
    }

    /** Returns the values with each row's padding brought to its end. */
    long[] compacted(long[] values) {
        long[] order = order(values);
        long[] moved = new long[values.length];
        for (int i = 0; i < moved.length; i++) {
            moved[i] = values[start(i) + Math.toIntExact(order[i])];
        }
        return moved;
    }

    /** Returns, for every place in the compacted rows, the column the token comes from. */
    long[] order(long[] values) {
        long[] order = new long[values.length];
        for (int row = 0; row < realLengths.length; row++) {
            int real = row * length;
            int padding = real + Math.toIntExact(realLengths[row]);
            for (int t = 0; t < length; t++) {
                boolean isPadding = values[row * length + t] == Positions.PADDING;
                order[isPadding ? padding++ : real++] = t;
            }
        }
        return order;
    }

    /** Returns, for every place in the rows, the column the token has in the compacted rows. */
    long[] inverse(long[] values) {
        long[] order = order(values);
        long[] inverse = new long[order.length];
        for (int i = 0; i < order.length; i++) {
            inverse[start(i) + Math.toIntExact(order[i])] = i % length;
        }
        return inverse;
    }

    /** Returns where the row of a value starts. */
    private int start(int i) {
        return i - i % length;
    }
}
