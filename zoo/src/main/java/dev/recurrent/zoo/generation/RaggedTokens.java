package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.rule.Positions;
import java.util.Arrays;

/**
 * Rows of tokens of unequal lengths, looked at through windows [from, from + length) of a batch;
 * rows that are shorter are padded.
 *
 * @param rows B rows of ids
 */
record RaggedTokens(long[][] rows) {

    /** Returns the length of the longest row. */
    int longest() {
        return Arrays.stream(rows).mapToInt(row -> row.length).max().orElse(0);
    }

    /**
     * Checks that every row has a token.
     *
     * @throws IllegalArgumentException naming the first that has none
     */
    RaggedTokens requireTokens() {
        for (int row = 0; row < rows.length; row++) {
            if (rows[row].length == 0) {
                throw new IllegalArgumentException("Row " + row + " has no tokens");
            }
        }
        return this;
    }

    /** Returns whether every row has exactly one token. */
    boolean isSingle() {
        return Arrays.stream(rows).allMatch(row -> row.length == 1);
    }

    /**
     * Checks that all ids are in a vocabulary.
     *
     * @throws IllegalArgumentException naming one that is not
     */
    void requireVocabulary(long vocabulary) {
        Arrays.stream(rows)
                .flatMapToLong(Arrays::stream)
                .filter(id -> id < 0 || id >= vocabulary)
                .findFirst()
                .ifPresent(
                        id -> {
                            throw new IllegalArgumentException(
                                    "Token id "
                                            + id
                                            + " is not in the vocabulary [0, "
                                            + vocabulary
                                            + ")");
                        });
    }

    /** Returns how many tokens of a row are in the window. */
    int real(int row, int from, int length) {
        return Math.max(0, Math.min(length, rows[row].length - from));
    }

    /** Returns the window's ids, int64 [B, length]. */
    NDArray ids(NDManager manager, int from, int length) {
        long[] ids = new long[rows.length * length];
        for (int row = 0; row < rows.length; row++) {
            int real = real(row, from, length);
            if (real > 0) {
                System.arraycopy(rows[row], from, ids, row * length, real);
            }
        }
        return manager.create(ids, new Shape(rows.length, length));
    }

    /**
     * Returns the window's positions.
     *
     * @param starts the position of each row's first token in the window
     */
    Positions positions(NDManager manager, long[] starts, int from, int length) {
        boolean even = true;
        long[] values = new long[rows.length * length];
        Arrays.fill(values, Positions.PADDING);
        for (int row = 0; row < rows.length; row++) {
            int real = real(row, from, length);
            for (int t = 0; t < real; t++) {
                values[row * length + t] = starts[row] + t;
            }
            even &= real == length && starts[row] == starts[0];
        }
        return even
                ? Positions.range(manager, rows.length, length, starts[0])
                : Positions.of(manager, rows.length, length, values);
    }
}
