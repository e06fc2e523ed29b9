package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Metric.Direction;
import dev.recurrent.training.plot.LinePlot;
import dev.recurrent.training.plot.Series;
import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Series.Stroke;
import dev.recurrent.training.plot.Unit;
import java.util.List;

/** How a score is drawn: accuracies between 0 and 1, others as far as they go. */
final class ScorePlot {

    /** Numbers that differ by more than this factor stand on a logarithmic axis. */
    private static final double SPREAD = 32;

    private ScorePlot() {}

    static LinePlot.Builder of(String title, String xLabel, Metric metric, List<Series> lines) {
        LinePlot.Builder plot =
                LinePlot.builder().setTitle(title).setLabels(xLabel, Figures.label(metric));
        double[] values =
                lines.stream()
                        .flatMap(line -> line.points().stream())
                        .mapToDouble(Point::y)
                        .filter(Double::isFinite)
                        .sorted()
                        .toArray();
        if (metric.direction() == Direction.HIGHER) {
            plot.optYReach(0).optYReach(1);
        } else if (values.length > 0
                && values[0] > 0
                && values[values.length - 1] > SPREAD * values[0]) {
            plot.optLogY(Unit.NUMBER);
        }
        lines.forEach(plot::addSeries);
        return plot;
    }

    /** A model's line, in the colour of its index. */
    static Series line(String model, List<Point> points, int index) {
        return new Series(Figures.shorten(model), points, Series.color(index), Stroke.SOLID);
    }
}
