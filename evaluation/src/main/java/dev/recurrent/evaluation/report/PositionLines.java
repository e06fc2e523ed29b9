package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.training.plot.LinePlot;
import dev.recurrent.training.plot.Series;
import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Unit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Optional;

/** A task's score by how many tokens stood before, at the greatest length: a line a model. */
final class PositionLines {

    private static final String POSITION = "position";

    /** From this ratio of the greatest to the least on, the axis is logarithmic. */
    private static final double WIDE = 4;

    private PositionLines() {}

    static Optional<LinePlot> of(List<ModelResult> results) {
        List<ModelResult> found =
                results.stream().filter(r -> !Figures.parts(r, POSITION).isEmpty()).toList();
        return found.stream()
                .max(Comparator.comparingInt(Figures::span))
                .map(longest -> draw(longest, found));
    }

    private static LinePlot draw(ModelResult longest, List<ModelResult> found) {
        Metric metric = Figures.parts(longest, POSITION).get(0).metric();
        List<Series> lines = new ArrayList<>();
        for (ModelResult result : found) {
            if (result.length() == longest.length()) {
                List<Point> points =
                        Figures.parts(result, POSITION).stream()
                                .filter(part -> part.metric().equals(metric))
                                .map(PositionLines::point)
                                .toList();
                lines.add(ScorePlot.line(result.model(), points, lines.size()));
            }
        }
        String title = longest.key() + ": " + Figures.words(metric) + " by position";
        LinePlot.Builder plot =
                ScorePlot.of(title, "tokens before", metric, lines).optLogX(Unit.LENGTH);
        return (isWide(lines) ? plot.optLogY(Unit.NUMBER) : plot).build();
    }

    /** Whether one line would press the others flat. */
    private static boolean isWide(List<Series> lines) {
        DoubleSummaryStatistics range =
                lines.stream()
                        .flatMap(line -> line.points().stream())
                        .mapToDouble(Point::y)
                        .filter(Double::isFinite)
                        .summaryStatistics();
        return range.getMin() > 0 && range.getMax() > WIDE * range.getMin();
    }

    /** In a bucket's middle, which has a place on a logarithmic axis also where it begins at 0. */
    private static Point point(Estimate part) {
        return new Point((part.bucket().from() + part.bucket().to()) / 2.0, part.value());
    }
}
