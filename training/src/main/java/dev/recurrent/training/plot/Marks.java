package dev.recurrent.training.plot;

import dev.recurrent.training.plot.Series.Point;
import java.util.ArrayList;
import java.util.List;

/** Draws marks, and their labels where no other label is. */
final class Marks {

    private static final double RADIUS = 4;
    private static final double LETTER = 6.4;
    private static final double LINE = 15;
    private static final double DESCENT = 3;

    /** A label's base line above, beside or below its mark, the best place first. */
    private static final double[] PLACES = {-10, 4, -25, -40, 19, 34, 49};

    private static final double[] SIDES = {0, -1, 1};

    /** A label beside its mark's column ends so far before it. */
    private static final double BESIDE = 8;

    private final PlotArea area;
    private final List<Box> taken = new ArrayList<>();

    Marks(PlotArea area) {
        this.area = area;
    }

    private record Box(double left, double top, double right, double bottom) {

        boolean overlaps(Box other) {
            return left < other.right
                    && other.left < right
                    && top < other.bottom
                    && other.top < bottom;
        }
    }

    /** Where a label stands. */
    private record Label(double middle, double half, double base) {

        Box box() {
            return new Box(middle - half, base + DESCENT - LINE, middle + half, base + DESCENT);
        }
    }

    void draw(Svg svg, List<Mark> marks) {
        List<Mark> drawn =
                marks.stream().filter(mark -> area.pixel(mark.point()).isFinite()).toList();
        drawn.forEach(mark -> taken.add(box(area.pixel(mark.point()))));
        for (Mark mark : drawn) {
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
        Label place = place(pixel, half);
        taken.add(place.box());
        // A white rim keeps the label legible on lines.
        svg.text(
                "text",
                mark.label(),
                "x",
                place.middle(),
                "y",
                place.base(),
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

    private static Box box(Point pixel) {
        return new Box(
                pixel.x() - RADIUS, pixel.y() - RADIUS, pixel.x() + RADIUS, pixel.y() + RADIUS);
    }

    /** The first free place above, to the left or to the right, then farther above and below. */
    private Label place(Point pixel, double half) {
        for (double offset : PLACES) {
            for (double side : SIDES) {
                Label label = label(pixel.x() + side * (half + BESIDE), pixel.y() + offset, half);
                Box box = label.box();
                boolean inside = box.top() > area.top() && box.bottom() < area.bottom();
                if (inside && taken.stream().noneMatch(box::overlaps)) {
                    return label;
                }
            }
        }
        return label(pixel.x(), pixel.y() + PLACES[0], half);
    }

    /** A label around x, or as near as the area's edges allow. */
    private Label label(double x, double base, double half) {
        double middle = Math.min(area.right() - half, Math.max(area.left() + half, x));
        return new Label(middle, half, base);
    }
}
