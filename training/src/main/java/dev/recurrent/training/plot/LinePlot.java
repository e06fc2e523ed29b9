package dev.recurrent.training.plot;

import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Series.Stroke;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/** Lines and marks in a picture with linear or logarithmic axes: title, legend, round ticks. */
public final class LinePlot implements Plot {

    private static final double AREA_HEIGHT = 320;
    private static final double BELOW = 58;
    private static final int TICKS_ACROSS = 8;
    private static final int TICKS_UP = 7;

    private final String title;
    private final String xLabel;
    private final String yLabel;
    private final double leastXTick;
    private final double yFrom;
    private final Unit xUnit;
    private final Unit yUnit;
    private final List<Double> yReach;
    private final List<Series> series;
    private final List<Mark> marks;

    private LinePlot(Builder builder) {
        title = builder.title;
        xLabel = builder.xLabel;
        yLabel = builder.yLabel;
        leastXTick = builder.leastXTick;
        yFrom = builder.yFrom;
        xUnit = builder.xUnit;
        yUnit = builder.yUnit;
        yReach = List.copyOf(builder.yReach);
        series = List.copyOf(builder.series);
        marks = builder.marks.stream().filter(mark -> mark.point().isFinite()).toList();
    }

    /** Returns a builder of plots. */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public String toSvg() {
        Legend legend = new Legend(series, Frame.RIGHT - Frame.LEFT);
        double top = Frame.TITLE + 8 + legend.height() + 12;
        double bottom = top + AREA_HEIGHT;
        PlotArea area = new PlotArea(xAxis(), yAxis(), Frame.LEFT, top, Frame.RIGHT, bottom);
        Svg svg = Frame.open(title, bottom + BELOW);
        legend.draw(svg, Frame.LEFT, Frame.TITLE + 8);
        area.draw(svg, xLabel, yLabel);
        Lines.draw(svg, area, series);
        new Marks(area).draw(svg, marks);
        return svg.close("svg").toString();
    }

    private Axis xAxis() {
        DoubleSummaryStatistics range =
                range(Stream.concat(points(series), places()), Point::x, xUnit);
        return xUnit == null
                ? linear(range, TICKS_ACROSS, leastXTick).fromZero()
                : logarithmic(range, TICKS_ACROSS, xUnit);
    }

    private Axis yAxis() {
        List<Series> front = series.stream().filter(s -> s.stroke() != Stroke.FAINT).toList();
        Stream<Point> heeded =
                Stream.concat(points(front).filter(point -> point.x() >= yFrom), places());
        DoubleSummaryStatistics range = range(heeded, Point::y, yUnit);
        if (range.getCount() == 0) {
            range = range(points(series), Point::y, yUnit);
        }
        yReach.forEach(range::accept);
        return yUnit == null
                ? linear(range, TICKS_UP, 0).toTicks()
                : logarithmic(range, TICKS_UP, yUnit);
    }

    private static LinearAxis linear(DoubleSummaryStatistics range, int ticks, double leastTick) {
        return range.getCount() == 0
                ? LinearAxis.of(0, 1, ticks, leastTick)
                : LinearAxis.of(range.getMin(), range.getMax(), ticks, leastTick);
    }

    private static LogAxis logarithmic(DoubleSummaryStatistics range, int ticks, Unit unit) {
        return range.getCount() == 0
                ? LogAxis.of(1, 2, ticks, unit)
                : LogAxis.of(range.getMin(), range.getMax(), ticks, unit);
    }

    private Stream<Point> places() {
        return marks.stream().map(Mark::point);
    }

    private static Stream<Point> points(List<Series> lines) {
        return lines.stream().flatMap(line -> line.points().stream());
    }

    private static DoubleSummaryStatistics range(
            Stream<Point> points, ToDoubleFunction<Point> coordinate, Unit logarithmic) {
        return points.filter(Point::isFinite)
                .mapToDouble(coordinate)
                .filter(value -> logarithmic == null || value > 0)
                .summaryStatistics();
    }

    /** Builds a {@link LinePlot}. */
    public static final class Builder {

        private final List<Series> series = new ArrayList<>();
        private final List<Mark> marks = new ArrayList<>();
        private String title;
        private String xLabel;
        private String yLabel;
        private double leastXTick;
        private double yFrom = Double.NEGATIVE_INFINITY;
        private Unit xUnit;
        private Unit yUnit;
        private final List<Double> yReach = new ArrayList<>();

        private Builder() {}

        /** Sets the title. */
        public Builder setTitle(String title) {
            this.title = title;
            return this;
        }

        /**
         * Sets what the axes show, with units.
         *
         * @param x across
         * @param y up
         */
        public Builder setLabels(String x, String y) {
            xLabel = x;
            yLabel = y;
            return this;
        }

        /** Says that all x are whole numbers, and so should be ticks. */
        public Builder optWholeX() {
            leastXTick = 1;
            return this;
        }

        /**
         * Makes the axis up fit what is from an x on, for lines that start far from where they go;
         * what is before may leave the picture.
         *
         * @param x the first that counts
         */
        public Builder optYFrom(double x) {
            yFrom = x;
            return this;
        }

        /**
         * Makes the axis across logarithmic; points at 0 or below are gaps.
         *
         * @param unit of its labels
         */
        public Builder optLogX(Unit unit) {
            xUnit = unit;
            return this;
        }

        /**
         * Makes the axis up logarithmic; points at 0 or below are gaps.
         *
         * @param unit of its labels
         */
        public Builder optLogY(Unit unit) {
            yUnit = unit;
            return this;
        }

        /** Makes the axis up reach a value, whether a point lies there or not. */
        public Builder optYReach(double value) {
            yReach.add(value);
            return this;
        }

        /** Adds a line, in front of those before. */
        public Builder addSeries(Series line) {
            series.add(line);
            return this;
        }

        /** Adds a mark, in front of all lines. One that is not finite is not drawn. */
        public Builder addMark(Mark mark) {
            marks.add(mark);
            return this;
        }

        /**
         * Returns the plot.
         *
         * @throws NullPointerException without title and labels
         */
        public LinePlot build() {
            Objects.requireNonNull(title, "a plot needs a title");
            Objects.requireNonNull(xLabel, "a plot needs labels on its axes");
            Objects.requireNonNull(yLabel, "a plot needs labels on its axes");
            return new LinePlot(this);
        }
    }
}
