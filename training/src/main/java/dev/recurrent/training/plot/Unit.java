package dev.recurrent.training.plot;

import java.util.Locale;

/** How numbers are written on a logarithmic axis, most of all powers of two. */
public enum Unit {

    /** In decimal digits, with an exponent from a million on. */
    NUMBER {
        @Override
        public String label(double value) {
            if (value < 1) {
                return Double.toString(value);
            }
            return String.format(Locale.ROOT, value < 1e6 ? "%,.0f" : "%.1e", value);
        }
    },

    /** As lengths of contexts are given: 2K is 2,048, and 2,000 is itself. */
    LENGTH {
        @Override
        public String label(double value) {
            return scaled(value, new String[] {"", "K", "M", "G", "T"});
        }
    },

    /** Bytes in binary units. */
    BYTES {
        @Override
        public String label(double value) {
            return scaled(value, new String[] {" B", " KiB", " MiB", " GiB", " TiB"});
        }
    };

    /** Returns a value as it stands at a tick, digits in full. */
    public abstract String label(double value);

    private static String scaled(double value, String[] units) {
        double scaled = value;
        int unit = 0;
        while (scaled >= 1024 && scaled % 1024 == 0 && unit < units.length - 1) {
            scaled /= 1024;
            unit++;
        }
        String digits =
                scaled == Math.rint(scaled)
                        ? String.format(Locale.ROOT, "%.0f", scaled)
                        : Double.toString(scaled);
        return digits + units[unit];
    }
}
