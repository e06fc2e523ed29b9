package dev.recurrent.training.data;

import java.util.SplittableRandom;

/** Random numbers as a function of a seed and an index. */
public final class Seeds {

    private Seeds() {}

    /** Makes a seed of two numbers, by SplitMix64's finaliser over both. */
    public static long mix(long seed, long index) {
        long z = seed * 0x9E3779B97F4A7C15L + index * 0xD1B54A32D192ED03L;
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    /** Starts a sequence that belongs to both numbers. */
    public static SplittableRandom random(long seed, long index) {
        return new SplittableRandom(mix(seed, index));
    }
}
