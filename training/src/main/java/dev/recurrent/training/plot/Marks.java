package dev.recurrent.training.plot;

import dev.recurrent.training.plot.Series.Point;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/** Draws marks, and their labels where no other label is. */
final class Marks {

    private static final double RADIUS = 4;
    private static final double LETTER = 6.4;
    private static final double LINE = 15;
    private static final double DESCENT = 3;

    private static final double HIGHEST = -40;

    /** A label's base line above, beside or below its mark, the best place first. */
    private static final double[] PLACES = {-10, 4, -25, HIGHEST, 19, 34, 49};

    private static final double[] SIDES = {0, -1, 1};

    /** Beyond the places a label stands in steps of a line, and a thin line leads to it. */
    private static final int FAR = 20;

    private static final double NEAR = 50;

    /** Between a label and the area's edges. */
    private static final double MARGIN = 3;

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
        if (Math.abs(place.base() - pixel.y()) > NEAR) {
            svg.element(
                    "line",
                    "x1",
                    pixel.x(),
                    "y1",
                    pixel.y(),
                    "x2",
                    Math.max(place.box().left(), Math.min(place.box().right(), pixel.x())),
                    "y2",
                    place.base() > pixel.y() ? place.box().top() : place.box().bottom(),
                    "stroke",
                    mark.color(),
                    "stroke-width",
                    0.5);
        }
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
        return offsets()
                .boxed()
                .flatMap(
                        offset ->
                                Arrays.stream(SIDES)
                                        .mapToObj(side -> at(pixel, half, offset, side)))
                .filter(this::isFree)
                .findFirst()
                .orElseGet(() -> at(pixel, half, PLACES[0], 0));
    }

    private static DoubleStream offsets() {
        DoubleStream far =
                IntStream.rangeClosed(1, FAR)
                        .mapToDouble(i -> i * LINE)
                        .flatMap(i -> DoubleStream.of(PLACES[PLACES.length - 1] + i, HIGHEST - i));
        return DoubleStream.concat(Arrays.stream(PLACES), far);
    }

    private Label at(Point pixel, double half, double offset, double side) {
        return label(pixel.x() + side * (half + BESIDE), pixel.y() + offset, half);
    }

    private boolean isFree(Label label) {
        Box box = label.box();
        return box.top() > area.top()
                && box.bottom() < area.bottom()
                && taken.stream().noneMatch(box::overlaps);
    }

    /** A label around x, or as near as the area's edges allow. */
    private Label label(double x, double base, double half) {
        double room = half + MARGIN;
        double middle = Math.min(area.right() - room, Math.max(area.left() + room, x));
        return new Label(middle, half, base);
    }
}
