package dev.recurrent.training.plot;

import java.util.stream.IntStream;

/**
 * A logarithmic axis from a power of two to another.
 *
 * @param low log₂ of the value at its start
 * @param high log₂ of the value at its end, above {@code low}
 * @param step how many doublings lie between ticks
 * @param unit of the labels
 */
record LogAxis(int low, int high, int step, Unit unit) implements Axis {

    /**
     * Chooses an axis around values.
     *
     * @param least the least value, above 0
     * @param greatest the greatest
     * @param ticks about how many there should be
     * @param unit of the labels
     */
    static LogAxis of(double least, double greatest, int ticks, Unit unit) {
        int low = exponent(least);
        int high =
                Math.scalb(1.0, exponent(greatest)) < greatest
                        ? exponent(greatest) + 1
                        : exponent(greatest);
        if (low == high) {
            low--;
            high++;
        }
        return new LogAxis(low, high, (high - low + ticks - 1) / ticks, unit);
    }

    /** The largest power of two that is not above. */
    private static int exponent(double value) {
        return Math.getExponent(value);
    }

    @Override
    public double[] ticks() {
        return IntStream.rangeClosed(0, (high - low) / step)
                .mapToDouble(i -> Math.scalb(1.0, low + i * step))
                .toArray();
    }

    @Override
    public String label(double tick) {
        return unit.label(tick);
    }

    /** {@inheritDoc} What is not above 0 lies nowhere: NaN or −∞. */
    @Override
    public double fraction(double value) {
        return (Math.log(value) / Math.log(2) - low) / (high - low);
    }
}
