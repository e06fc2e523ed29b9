package dev.recurrent.training.plot;

import dev.recurrent.training.plot.Series.Point;

/**
 * Where a plot's values lie in its picture, in pixels.
 *
 * @param x the axis across
 * @param y the axis up
 * @param left of the area
 * @param top of the area
 * @param right of the area
 * @param bottom of the area
 */
record PlotArea(Axis x, Axis y, double left, double top, double right, double bottom) {

    private static final String AXIS = "#333333";
    private static final String GRID = "#E6E6E6";
    private static final double TICK = 5;

    double pixelX(double value) {
        return x.position(value, left, right);
    }

    double pixelY(double value) {
        return y.position(value, bottom, top);
    }

    Point pixel(Point point) {
        return new Point(pixelX(point.x()), pixelY(point.y()));
    }

    /** Draws grid, axes, ticks and labels. */
    void draw(Svg svg, String xLabel, String yLabel) {
        svg.open("g", "fill", AXIS, "font-size", 12.0, "text-anchor", "end");
        for (double tick : y.ticks()) {
            double at = pixelY(tick);
            line(svg, GRID, left, at, right, at);
            svg.text("text", y.label(tick), "x", left - TICK - 4, "y", at + 4);
        }
        svg.close("g");
        svg.open("g", "fill", AXIS, "font-size", 12.0, "text-anchor", "middle");
        for (double tick : x.ticks()) {
            double at = pixelX(tick);
            line(svg, AXIS, at, bottom, at, bottom + TICK);
            svg.text("text", x.label(tick), "x", at, "y", bottom + TICK + 14);
        }
        svg.close("g");
        line(svg, AXIS, left, top, left, bottom);
        line(svg, AXIS, left, bottom, right, bottom);
        nameAxes(svg, xLabel, yLabel, left, top, right, bottom);
    }

    /** Writes what the axes of an area show, below it and to its left. */
    static void nameAxes(
            Svg svg,
            String xLabel,
            String yLabel,
            double left,
            double top,
            double right,
            double bottom) {
        name(svg, xLabel, (left + right) / 2, bottom + 42, "");
        double middle = (top + bottom) / 2;
        String turn = "rotate(-90 16 " + Svg.number(middle) + ")";
        name(svg, yLabel, 16, middle, turn);
    }

    private static void name(Svg svg, String name, double x, double y, String transform) {
        svg.text(
                "text",
                name,
                "x",
                x,
                "y",
                y,
                "transform",
                transform,
                "fill",
                AXIS,
                "text-anchor",
                "middle");
    }

    private static void line(Svg svg, String color, double x1, double y1, double x2, double y2) {
        svg.element("line", "x1", x1, "y1", y1, "x2", x2, "y2", y2, "stroke", color);
    }
}
