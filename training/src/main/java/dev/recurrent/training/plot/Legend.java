package dev.recurrent.training.plot;

import java.util.ArrayList;
import java.util.List;

/** Names of a plot's lines, in rows from left to right, so that they never hide a line. */
final class Legend {

    static final double ROW = 20;

    private static final double SAMPLE = 24;
    private static final double GAP = 20;

    /** A faint line's sample: as wide as its noise, to be seen. */
    private static final double BAND = 6;

    /** A letter's mean width of the fonts in use, generously. */
    private static final double LETTER = 6.4;

    private final List<List<Series>> rows = new ArrayList<>();

    /**
     * Lays names out.
     *
     * @param series of which those with names appear
     * @param width of a row
     */
    Legend(List<Series> series, double width) {
        double free = 0;
        for (Series named : series) {
            if (named.name() == null) {
                continue;
            }
            if (rows.isEmpty() || width(named) > free) {
                rows.add(new ArrayList<>());
                free = width;
            }
            rows.get(rows.size() - 1).add(named);
            free -= width(named);
        }
    }

    /** Returns how high the legend is; 0 without names. */
    double height() {
        return rows.size() * ROW;
    }

    /** Draws the legend, its upper left corner at x and y. */
    void draw(Svg svg, double x, double y) {
        svg.open("g", "font-size", 12.0, "fill", "#222222");
        for (int i = 0; i < rows.size(); i++) {
            double left = x;
            double middle = y + ROW * (i + 0.5);
            for (Series named : rows.get(i)) {
                Series.Stroke stroke = named.stroke();
                svg.element(
                        "line",
                        "x1",
                        left,
                        "y1",
                        middle,
                        "x2",
                        left + SAMPLE,
                        "y2",
                        middle,
                        "stroke",
                        named.color(),
                        "stroke-width",
                        stroke == Series.Stroke.FAINT ? BAND : stroke.width(),
                        "stroke-opacity",
                        stroke.opacity(),
                        "stroke-dasharray",
                        stroke.dashes());
                svg.text("text", named.name(), "x", left + SAMPLE + 6, "y", middle + 4);
                left += width(named);
            }
        }
        svg.close("g");
    }

    private static double width(Series series) {
        return SAMPLE + 6 + LETTER * series.name().codePointCount(0, series.name().length()) + GAP;
    }
}
