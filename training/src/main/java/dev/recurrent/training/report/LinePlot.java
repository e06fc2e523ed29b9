package dev.recurrent.training.report;

import dev.recurrent.training.report.Series.Point;
import dev.recurrent.training.report.Series.Stroke;
import dev.recurrent.zoo.checkpoint.AtomicFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/**
 * Lines in a picture with linear axes, as SVG: title, legend, round ticks, marks. The same plot
 * gives the same text.
 */
public final class LinePlot {

    private static final double WIDTH = 720;
    private static final double AREA_HEIGHT = 320;
    private static final double LEFT = 64;
    private static final double RIGHT = WIDTH - 24;
    private static final double BELOW = 58;
    private static final double TITLE = 30;
    private static final int TICKS_ACROSS = 8;
    private static final int TICKS_UP = 7;

    private final String title;
    private final String xLabel;
    private final String yLabel;
    private final double leastXTick;
    private final double yFrom;
    private final List<Series> series;
    private final List<Mark> marks;

    private LinePlot(Builder builder) {
        title = builder.title;
        xLabel = builder.xLabel;
        yLabel = builder.yLabel;
        leastXTick = builder.leastXTick;
        yFrom = builder.yFrom;
        series = List.copyOf(builder.series);
        marks = builder.marks.stream().filter(mark -> mark.point().isFinite()).toList();
    }

    /** Returns a builder of plots. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Writes the picture to a file or replaces it in one step.
     *
     * @param file where; its folder must be there
     * @throws IOException if it cannot be written; the old file is untouched then
     */
    public void write(Path file) throws IOException {
        AtomicFiles.writeString(file, toSvg());
    }

    /** Returns the picture as an SVG document. */
    public String toSvg() {
        Legend legend = new Legend(series, RIGHT - LEFT);
        double top = TITLE + 8 + legend.height() + 12;
        double bottom = top + AREA_HEIGHT;
        double height = bottom + BELOW;
        PlotArea area = new PlotArea(xAxis(), yAxis(), LEFT, top, RIGHT, bottom);
        Svg svg = new Svg();
        svg.open(
                "svg",
                "xmlns",
                "http://www.w3.org/2000/svg",
                "viewBox",
                "0 0 " + Svg.number(WIDTH) + " " + Svg.number(height),
                "width",
                WIDTH,
                "height",
                height,
                "font-family",
                "Helvetica, Arial, sans-serif",
                "font-size",
                13.0);
        svg.text("title", title);
        svg.element("rect", "width", WIDTH, "height", height, "fill", "#FFFFFF");
        svg.text(
                "text",
                title,
                "x",
                LEFT,
                "y",
                TITLE - 4,
                "font-size",
                16.0,
                "font-weight",
                "bold",
                "fill",
                "#222222");
        legend.draw(svg, LEFT, TITLE + 8);
        area.draw(svg, xLabel, yLabel);
        Lines.draw(svg, area, series);
        new Marks(area).draw(svg, marks);
        return svg.close("svg").toString();
    }

    private Axis xAxis() {
        return axis(range(points(series), Point::x), TICKS_ACROSS, leastXTick).fromZero();
    }

    private Axis yAxis() {
        List<Series> front = series.stream().filter(s -> s.stroke() != Stroke.FAINT).toList();
        Stream<Point> heeded =
                Stream.concat(
                        points(front).filter(point -> point.x() >= yFrom),
                        marks.stream().map(Mark::point));
        DoubleSummaryStatistics range = range(heeded, Point::y);
        if (range.getCount() == 0) {
            range = range(points(series), Point::y);
        }
        return axis(range, TICKS_UP, 0).toTicks();
    }

    private static Axis axis(DoubleSummaryStatistics range, int ticks, double leastTick) {
        return range.getCount() == 0
                ? Axis.of(0, 1, ticks, leastTick)
                : Axis.of(range.getMin(), range.getMax(), ticks, leastTick);
    }

    private static Stream<Point> points(List<Series> lines) {
        return lines.stream().flatMap(line -> line.points().stream());
    }

    private static DoubleSummaryStatistics range(
            Stream<Point> points, ToDoubleFunction<Point> coordinate) {
        return points.filter(Point::isFinite).mapToDouble(coordinate).summaryStatistics();
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
