package dev.recurrent.training.report;

import dev.recurrent.training.report.Series.Point;
import java.util.ArrayList;
import java.util.List;

/** Draws marks, and their labels where no other label is. */
final class Marks {

    private static final double RADIUS = 4;
    private static final double LETTER = 6.4;
    private static final double LINE = 15;

    /** A label's base line above or below its mark, the best place first. */
    private static final double[] PLACES = {-10, -25, -40, 19, 34, 49};

    private static final double[] SIDES = {0, -1, 1};

    /** A label beside its mark's column ends so far before it. */
    private static final double BESIDE = 8;

    private final PlotArea area;
    private final List<Box> taken = new ArrayList<>();

    Marks(PlotArea area) {
        this.area = area;
    }

    private record Box(double middle, double half, double base) {

        boolean overlaps(Box other) {
            return Math.abs(middle - other.middle) < half + other.half
                    && Math.abs(base - other.base) < LINE;
        }
    }

    void draw(Svg svg, List<Mark> marks) {
        for (Mark mark : marks) {
            Point pixel = area.pixel(mark.point());
            if (mark.label() != null) {
                label(svg, mark, pixel);
            }
            svg.element(
                    "circle",
                    "cx",
                    pixel.x(),
                    "cy",
                    pixel.y(),
                    "r",
                    RADIUS,
                    "fill",
                    mark.filled() ? mark.color() : "#FFFFFF",
                    "stroke",
                    mark.filled() ? "#FFFFFF" : mark.color(),
                    "stroke-width",
                    1.5);
        }
    }

    private void label(Svg svg, Mark mark, Point pixel) {
        double half = LETTER * mark.label().codePointCount(0, mark.label().length()) / 2;
        Box box = place(pixel, half);
        taken.add(box);
        // A white rim keeps the label legible on lines.
        svg.text(
                "text",
                mark.label(),
                "x",
                box.middle(),
                "y",
                box.base(),
                "font-size",
                12.0,
                "text-anchor",
                "middle",
                "fill",
                mark.color(),
                "stroke",
                "#FFFFFF",
                "stroke-width",
                3.0,
                "paint-order",
                "stroke");
    }

    /** The first free place above, to the left or to the right, then farther above and below. */
    private Box place(Point pixel, double half) {
        for (double offset : PLACES) {
            for (double side : SIDES) {
                Box box = box(pixel.x() + side * (half + BESIDE), pixel.y() + offset, half);
                boolean inside = box.base() - LINE > area.top() && box.base() < area.bottom() - 3;
                if (inside && taken.stream().noneMatch(box::overlaps)) {
                    return box;
                }
            }
        }
        return box(pixel.x(), pixel.y() + PLACES[0], half);
    }

    /** A label around x, or as near as the area's edges allow. */
    private Box box(double x, double base, double half) {
        double middle = Math.min(area.right() - half, Math.max(area.left() + half, x));
        return new Box(middle, half, base);
    }
}
