package dev.recurrent.training.plot;

import dev.recurrent.training.plot.Series.Point;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;

/** The parts of a line between its gaps, with no more points than a picture can show. */
final class Polyline {

    private Polyline() {}

    /** Splits a line at points that are not finite. */
    static List<List<Point>> parts(List<Point> points) {
        List<List<Point>> parts = new ArrayList<>();
        List<Point> part = new ArrayList<>();
        for (Point point : points) {
            if (point.isFinite()) {
                part.add(point);
            } else if (!part.isEmpty()) {
                parts.add(part);
                part = new ArrayList<>();
            }
        }
        if (!part.isEmpty()) {
            parts.add(part);
        }
        return parts;
    }

    /**
     * Leaves of the points that follow each other in one column of pixels the first, the lowest,
     * the highest and the last: the same picture, however many points there are.
     *
     * @param points in pixels
     * @return all of them, or those that show
     */
    static List<Point> thin(List<Point> points) {
        List<Point> thin = new ArrayList<>();
        List<Point> column = new ArrayList<>();
        for (Point point : points) {
            if (!column.isEmpty() && Math.floor(column.get(0).x()) != Math.floor(point.x())) {
                addExtremes(column, thin);
                column.clear();
            }
            column.add(point);
        }
        addExtremes(column, thin);
        return thin;
    }

    private static void addExtremes(List<Point> column, List<Point> thin) {
        if (column.size() <= 4) {
            thin.addAll(column);
            return;
        }
        Comparator<Point> height = Comparator.comparingDouble(Point::y);
        Point lowest = column.stream().min(height).orElseThrow();
        Point highest = column.stream().max(height).orElseThrow();
        Point first = column.get(0);
        Point last = column.get(column.size() - 1);
        // By identity: points may be equal, and their order is the line's.
        Predicate<Point> shows = p -> p == first || p == lowest || p == highest || p == last;
        column.stream().filter(shows).forEach(thin::add);
    }

    /** Returns the points as path data: to the first, and lines on to the others. */
    static String path(List<Point> pixels) {
        StringBuilder path = new StringBuilder();
        for (Point pixel : pixels) {
            path.append(path.isEmpty() ? "M" : "L")
                    .append(Svg.number(pixel.x()))
                    .append(' ')
                    .append(Svg.number(pixel.y()));
        }
        return path.toString();
    }
}
