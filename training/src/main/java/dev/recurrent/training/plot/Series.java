package dev.recurrent.training.plot;

import java.util.List;

/**
 * A line of a plot.
 *
 * @param name in the legend; null for a line that is not there
 * @param points in the order in which they are joined; a coordinate that is not finite is a gap
 * @param color any SVG colour
 * @param stroke how it is drawn
 */
public record Series(String name, List<Point> points, String color, Stroke stroke) {

    /**
     * Colours that can be told apart by all eyes: those of Okabe and Ito ("Color Universal
     * Design"), then three of Tol's ("Colour Schemes", muted).
     */
    private static final String[] COLORS = {
        "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#882255",
        "#999933", "#332288"
    };

    /** Copies the list. */
    public Series {
        points = List.copyOf(points);
    }

    /**
     * A point in the plot's units.
     *
     * @param x across
     * @param y up
     */
    public record Point(double x, double y) {

        /** Returns whether both coordinates are finite. */
        public boolean isFinite() {
            return Double.isFinite(x) && Double.isFinite(y);
        }
    }

    /** How a line is drawn. */
    public enum Stroke {
        SOLID(1.8, 1, "none"),
        DASHED(1.3, 0.85, "5 3"),

        /** In the background: the plot's range does not heed it, and cuts it. */
        FAINT(0.8, 0.3, "none");

        private final double width;
        private final double opacity;
        private final String dashes;

        Stroke(double width, double opacity, String dashes) {
            this.width = width;
            this.opacity = opacity;
            this.dashes = dashes;
        }

        double width() {
            return width;
        }

        double opacity() {
            return opacity;
        }

        String dashes() {
            return dashes;
        }
    }

    /**
     * Returns one of the colours that go together.
     *
     * @param index which, from 0; they recur
     * @return an SVG colour
     */
    public static String color(int index) {
        return COLORS[Math.floorMod(index, COLORS.length)];
    }
}
