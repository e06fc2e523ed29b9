package dev.recurrent.training.plot;

import java.util.Locale;

/**
 * Colours for numbers in [0, 1]: viridis (van der Walt and Smith, 2015), from dark violet to
 * yellow. Its lightness rises evenly, so that it reads the same to all eyes and in grey.
 */
final class Shade {

    /** Every eighth part of the map. */
    private static final int[] ANCHORS = {
        0x440154, 0x472D7B, 0x3B528B, 0x2C728E, 0x21918C, 0x28AE80, 0x5EC962, 0xADDC30, 0xFDE725
    };

    /** From here on black is legible on a shade, before it white. */
    private static final double LIGHT = 0.55;

    private Shade() {}

    /** Returns the colour of a number; those outside have the ends' colours. */
    static String of(double value) {
        double place = Math.max(0, Math.min(1, value)) * (ANCHORS.length - 1);
        int index = Math.min((int) place, ANCHORS.length - 2);
        double part = place - index;
        int color = 0;
        for (int shift = 16; shift >= 0; shift -= 8) {
            int from = ANCHORS[index] >> shift & 0xFF;
            int to = ANCHORS[index + 1] >> shift & 0xFF;
            color |= (int) Math.round(from + part * (to - from)) << shift;
        }
        return String.format(Locale.ROOT, "#%06X", color);
    }

    /** Returns the colour of text on a number's colour. */
    static String ink(double value) {
        return value < LIGHT ? "#FFFFFF" : "#000000";
    }
}
