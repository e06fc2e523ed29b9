package dev.recurrent.evaluation.statistic;

import java.io.Serializable;
import java.math.BigInteger;

/**
 * A sum of doubles that is rounded once, when it is asked for: the order of its terms, and how they
 * were divided among machines, do not change a bit of it.
 *
 * <p>A fixed-point number wide enough for all doubles, in digits of 32 bits whose carries wait
 * (Neal, "Fast exact summation using small and large superaccumulators", arXiv 1505.05571).
 */
public final class ExactSum implements Serializable {

    private static final long serialVersionUID = 1L;

    private static final int DIGIT = 32;
    private static final long MASK = (1L << DIGIT) - 1;

    /** The weight of the lowest bit is 2^−1074, the least double. */
    private static final int LOWEST = -1074;

    private static final int DIGITS = (1023 - LOWEST + DIGIT) / DIGIT + 2;

    /** How many terms may be added before digits of 32 bits could fill their 64. */
    private static final int TERMS = 1 << 29;

    private final long[] digits = new long[DIGITS];
    private int pending;

    /**
     * Adds a term.
     *
     * @param term any finite number
     * @throws ArithmeticException if it is not finite
     */
    public void add(double term) {
        if (!Double.isFinite(term)) {
            throw new ArithmeticException("A sum was given the term " + term);
        }
        long bits = Double.doubleToRawLongBits(term);
        int exponent = (int) (bits >>> 52 & 0x7FF);
        long mantissa = bits & (1L << 52) - 1;
        if (exponent > 0) {
            mantissa |= 1L << 52;
            exponent--;
        }
        int at = exponent / DIGIT;
        int shift = exponent % DIGIT;
        long low = mantissa << shift & MASK;
        long middle = mantissa >>> DIGIT - shift & MASK;
        long high = shift == 0 ? 0 : mantissa >>> 2 * DIGIT - shift;
        long sign = bits < 0 ? -1 : 1;
        digits[at] += sign * low;
        digits[at + 1] += sign * middle;
        digits[at + 2] += sign * high;
        settle();
    }

    /** Adds another sum. */
    public void add(ExactSum other) {
        other.carry();
        for (int i = 0; i < DIGITS; i++) {
            digits[i] += other.digits[i];
        }
        settle();
    }

    /** Returns the sum, rounded to the nearest double. */
    public double value() {
        carry();
        BigInteger sum = BigInteger.ZERO;
        for (int i = DIGITS - 1; i >= 0; i--) {
            sum = sum.shiftLeft(DIGIT).add(BigInteger.valueOf(digits[i]));
        }
        BigInteger size = sum.abs();
        // More bits than a double has, the last of them telling whether any follow.
        int cut = Math.max(0, size.bitLength() - 64);
        BigInteger head = size.shiftRight(cut);
        if (cut > 0 && size.getLowestSetBit() < cut) {
            head = head.setBit(0);
        }
        return sum.signum() * Math.scalb(head.doubleValue(), cut + LOWEST);
    }

    private void settle() {
        if (++pending >= TERMS) {
            carry();
        }
    }

    /** Brings all digits but the highest into [0, 2^32). */
    private void carry() {
        for (int i = 0; i < DIGITS - 1; i++) {
            digits[i + 1] += digits[i] >> DIGIT;
            digits[i] &= MASK;
        }
        pending = 0;
    }
}
