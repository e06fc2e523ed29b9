package dev.recurrent.training.plot;

import java.util.Locale;
import java.util.stream.LongStream;

/**
 * A linear axis.
 *
 * @param low the value at its start
 * @param high the value at its end, above {@code low}
 * @param tick the distance of ticks: 1, 2 or 5 times a power of ten
 */
record LinearAxis(double low, double high, double tick) implements Axis {

    private static final String[] UNITS = {"", "K", "M", "B", "T"};

    /** Up to here numbers are written out. */
    private static final double LONGEST = 1e5;

    /**
     * Chooses an axis that ends where the values end.
     *
     * @param least the least value
     * @param greatest the greatest
     * @param ticks about how many there should be
     * @param leastTick the least distance of ticks; 0 for any
     */
    static LinearAxis of(double least, double greatest, int ticks, double leastTick) {
        double low = least;
        double high = greatest;
        if (low == high) {
            double room = Math.max(leastTick, low == 0 ? 1 : Math.abs(low) / 10);
            low -= room;
            high += room;
        }
        double tick = Math.max(leastTick, round((high - low) / ticks));
        return new LinearAxis(low, high, tick);
    }

    /** Returns this axis from zero where it starts less than a tick above. */
    LinearAxis fromZero() {
        return new LinearAxis(low > 0 && low <= tick ? 0 : low, high, tick);
    }

    /** Returns this axis from a tick to a tick. */
    LinearAxis toTicks() {
        return new LinearAxis(Math.floor(low / tick) * tick, Math.ceil(high / tick) * tick, tick);
    }

    /** The first of 1, 2, 5, 10, … times a power of ten that is not below. */
    private static double round(double distance) {
        double power = Math.pow(10, Math.floor(Math.log10(distance)));
        double part = distance / power;
        return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
    }

    @Override
    public double[] ticks() {
        // Half a millionth of a tick is rounding.
        long first = (long) Math.ceil(low / tick - 5e-7);
        long last = (long) Math.floor(high / tick + 5e-7);
        return LongStream.rangeClosed(first, last).mapToDouble(i -> i * tick).toArray();
    }

    /** {@inheritDoc} It has as many decimals as ticks differ in. */
    @Override
    public String label(double value) {
        double magnitude = Math.max(Math.abs(low), Math.abs(high));
        int unit = 0;
        double scale = 1;
        while (magnitude / scale >= (unit == 0 ? LONGEST : 1e3) && unit < UNITS.length - 1) {
            unit++;
            scale *= 1e3;
        }
        int decimals = (int) Math.max(0, -Math.floor(Math.log10(tick / scale) + 1e-9));
        if (decimals > 6 || magnitude / scale >= LONGEST) {
            return String.format(Locale.ROOT, "%.1e", value);
        }
        if (value == 0 && unit > 0) {
            return "0";
        }
        // Adding zero turns −0 into 0.
        return String.format(Locale.ROOT, "%,." + decimals + "f", value / scale + 0.0)
                + UNITS[unit];
    }

    @Override
    public double fraction(double value) {
        return (value - low) / (high - low);
    }
}
