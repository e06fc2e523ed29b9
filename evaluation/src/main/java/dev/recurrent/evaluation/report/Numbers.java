package dev.recurrent.evaluation.report;

import java.util.Locale;

/** Numbers as people read them. */
public final class Numbers {

    private static final String[] BINARY = {"B", "KiB", "MiB", "GiB", "TiB"};

    private Numbers() {}

    /** Four decimals, with an exponent from a million on; {@code N/A} for NaN. */
    public static String decimal(double value) {
        if (Double.isNaN(value)) {
            return "N/A";
        }
        return String.format(Locale.ROOT, Math.abs(value) < 1e6 ? "%.4f" : "%.4e", value);
    }

    /** Two digits and an exponent, for errors. */
    public static String scientific(double value) {
        return String.format(Locale.ROOT, "%.1e", value);
    }

    /** Bytes in the largest binary unit that leaves at least one before the point. */
    public static String bytes(long bytes) {
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < BINARY.length - 1) {
            value /= 1024;
            unit++;
        }
        return String.format(Locale.ROOT, unit == 0 ? "%.0f %s" : "%.1f %s", value, BINARY[unit]);
    }

    /** A count in thousands, millions or billions, three digits or more: 374M, 1.37B. */
    public static String count(long count) {
        if (count < 1_000) {
            return Long.toString(count);
        } else if (count < 1_000_000) {
            return digits(count / 1e3) + "K";
        } else if (count < 1_000_000_000) {
            return digits(count / 1e6) + "M";
        }
        return digits(count / 1e9) + "B";
    }

    /** Seconds in the unit that suits them. */
    public static String duration(double seconds) {
        if (seconds < 1e-3) {
            return digits(seconds * 1e6) + " µs";
        } else if (seconds < 1) {
            return digits(seconds * 1e3) + " ms";
        }
        return digits(seconds) + " s";
    }

    /** A rate, without decimals where it is large. */
    public static String rate(double perSecond) {
        return String.format(Locale.ROOT, perSecond < 100 ? "%.1f" : "%.0f", perSecond);
    }

    private static String digits(double value) {
        String format = value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f";
        return String.format(Locale.ROOT, format, value);
    }
}
