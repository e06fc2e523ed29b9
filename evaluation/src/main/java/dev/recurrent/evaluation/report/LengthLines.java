package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.statistic.Aggregation;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.training.plot.LinePlot;
import dev.recurrent.training.plot.Mark;
import dev.recurrent.training.plot.Series;
import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Unit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;

/** A task's figures by the sequences' length: a line a model, a mark a measured length. */
final class LengthLines {

    private static final String LENGTH = "length of a sequence (tokens)";

    private final String task;
    private final List<ModelResult> results;

    /**
     * Constructs the lines of a task.
     *
     * @param task its name
     * @param results of it, each with a length
     */
    LengthLines(String task, List<ModelResult> results) {
        this.task = task;
        this.results = results;
    }

    /** Draws the score; empty where there is none. */
    Optional<LinePlot> scores() {
        return headline().map(this::scores);
    }

    private LinePlot scores(Metric metric) {
        List<Series> lines = lines(result -> Figures.value(result, metric));
        String title = task + ": " + Figures.words(metric) + " by length";
        return finish(ScorePlot.of(title, LENGTH, metric, lines), lines);
    }

    /** Draws tokens a second. */
    LinePlot throughput() {
        List<Series> lines = lines(ModelResult::tokensPerSecond);
        LinePlot.Builder plot =
                LinePlot.builder()
                        .setTitle(task + ": throughput by length")
                        .setLabels(LENGTH, "tokens a second")
                        .optYReach(0);
        lines.forEach(plot::addSeries);
        return finish(plot, lines);
    }

    private static LinePlot finish(LinePlot.Builder plot, List<Series> lines) {
        for (Series line : lines) {
            line.points().forEach(p -> plot.addMark(new Mark(p, line.color(), true, null)));
        }
        return plot.optLogX(Unit.LENGTH).build();
    }

    private List<Series> lines(ToDoubleFunction<ModelResult> value) {
        List<Series> lines = new ArrayList<>();
        for (String model : results.stream().map(ModelResult::model).distinct().toList()) {
            List<Point> points =
                    results.stream()
                            .filter(result -> result.model().equals(model))
                            .sorted(Comparator.comparingInt(ModelResult::length))
                            .map(result -> new Point(result.length(), value.applyAsDouble(result)))
                            .toList();
            lines.add(ScorePlot.line(model, points, lines.size()));
        }
        return lines;
    }

    /** Bits per byte compare whatever the tokenizers; else what the task puts first. */
    private Optional<Metric> headline() {
        List<Metric> metrics =
                results.get(0).measured().estimates().stream().map(Estimate::metric).toList();
        return metrics.stream()
                .filter(metric -> metric.aggregation() == Aggregation.BITS)
                .findFirst()
                .or(() -> metrics.stream().findFirst());
    }
}
