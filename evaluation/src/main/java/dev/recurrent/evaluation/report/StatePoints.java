package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Metric.Direction;
import dev.recurrent.training.plot.LinePlot;
import dev.recurrent.training.plot.Mark;
import dev.recurrent.training.plot.Series;
import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Unit;
import java.util.List;
import java.util.Optional;

/** Models' accuracies by the bytes of a sequence's state: a labelled point each. */
final class StatePoints {

    private StatePoints() {}

    /**
     * Draws results of one task and length.
     *
     * @param key of the task and length
     * @param results one a model
     * @return the picture; empty unless two models or more have an accuracy and a state
     */
    static Optional<LinePlot> of(String key, List<ModelResult> results) {
        List<ModelResult> found =
                results.stream()
                        .filter(result -> result.measured().stateBytes() > 0)
                        .filter(result -> accuracy(result).isPresent())
                        .toList();
        return found.size() > 1
                ? Optional.of(draw(key, accuracy(found.get(0)).orElseThrow(), found))
                : Optional.empty();
    }

    private static LinePlot draw(String key, Metric metric, List<ModelResult> results) {
        LinePlot.Builder plot =
                ScorePlot.of(
                                key + ": " + Figures.words(metric) + " by state",
                                "state of a sequence",
                                metric,
                                List.of())
                        .optLogX(Unit.BYTES);
        for (ModelResult result : results) {
            Point point = new Point(result.measured().stateBytes(), Figures.value(result, metric));
            plot.addMark(new Mark(point, Series.color(0), true, Figures.shorten(result.model())));
        }
        return plot.build();
    }

    private static Optional<Metric> accuracy(ModelResult result) {
        return result.measured().estimates().stream()
                .map(Estimate::metric)
                .findFirst()
                .filter(metric -> metric.direction() == Direction.HIGHER);
    }
}
