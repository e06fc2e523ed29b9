package dev.recurrent.training.report;

import dev.recurrent.training.plot.Series.Point;
import java.util.ArrayList;
import java.util.List;

/**
 * A mean over neighbours, as many before as after, so that the curve does not lag behind. At the
 * start, where losses fall fast, there are fewer; at the end those after are missing.
 */
final class Smoothing {

    /** The neighbours of one side are at most this part of all points. */
    private static final int PART = 60;

    /** And at most this part of the points before. */
    private static final int PART_BEFORE = 6;

    private Smoothing() {}

    /**
     * Smooths a curve.
     *
     * @param points the curve; a gap is one that is not finite
     * @return as many points, gaps where there were gaps
     */
    static List<Point> of(List<Point> points) {
        int size = points.size();
        double[] sums = new double[size + 1];
        int[] counts = new int[size + 1];
        for (int i = 0; i < size; i++) {
            Point point = points.get(i);
            sums[i + 1] = sums[i] + (point.isFinite() ? point.y() : 0);
            counts[i + 1] = counts[i] + (point.isFinite() ? 1 : 0);
        }
        List<Point> smooth = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
            int reach = Math.min(size / PART, i / PART_BEFORE);
            int from = i - reach;
            int to = Math.min(size, i + reach + 1);
            double mean = (sums[to] - sums[from]) / (counts[to] - counts[from]);
            Point point = points.get(i);
            smooth.add(point.isFinite() ? new Point(point.x(), mean) : point);
        }
        return smooth;
    }
}
