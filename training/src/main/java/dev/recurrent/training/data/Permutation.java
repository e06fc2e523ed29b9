package dev.recurrent.training.data;

/**
 * A seeded permutation of [0, size) that takes no memory: a Feistel network of four rounds over the
 * next power of four, walked along its cycles until it lands within the range (Black and Rogaway,
 * "Ciphers with Arbitrary Finite Domains", section 3).
 */
final class Permutation {

    private static final int ROUNDS = 4;

    private final long size;
    private final int half;
    private final long mask;
    private final long seed;

    Permutation(long size, long seed) {
        this.size = size;
        this.seed = seed;
        int bits = Long.SIZE - Long.numberOfLeadingZeros(Math.max(1, size - 1));
        half = (bits + 1) / 2;
        mask = (1L << half) - 1;
    }

    /** Returns where {@code index} goes. */
    long at(long index) {
        long value = index;
        do {
            value = round(value);
        } while (value >= size);
        return value;
    }

    private long round(long value) {
        long left = value >>> half;
        long right = value & mask;
        for (int round = 0; round < ROUNDS; round++) {
            long mixed = left ^ (Seeds.mix(seed + round, right) & mask);
            left = right;
            right = mixed;
        }
        return left << half | right;
    }
}
