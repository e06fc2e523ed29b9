package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.training.plot.HeatMap;
import dev.recurrent.training.plot.Unit;
import java.util.List;
import java.util.Optional;

/** A model's accuracy over lengths and depths: how deep in its context something stood. */
final class DepthMap {

    private static final String DEPTH = "depth";

    private DepthMap() {}

    /**
     * Draws a task's results.
     *
     * @param task its name
     * @param model the model's
     * @param results theirs, by length
     * @return the picture; empty where no accuracy was observed by depth
     */
    static Optional<HeatMap> of(String task, String model, List<ModelResult> results) {
        return results.stream()
                .flatMap(result -> Figures.parts(result, DEPTH).stream())
                .map(Estimate::metric)
                .filter(metric -> metric.direction() == Metric.Direction.HIGHER)
                .findFirst()
                .map(metric -> draw(task, model, results, metric));
    }

    private static HeatMap draw(
            String task, String model, List<ModelResult> results, Metric metric) {
        List<Long> depths =
                results.stream()
                        .flatMap(result -> Figures.parts(result, DEPTH).stream())
                        .map(part -> part.bucket().from())
                        .distinct()
                        .sorted()
                        .toList();
        return new HeatMap(
                task + ": " + Figures.words(metric) + " of " + Figures.shorten(model),
                "length of a sequence (tokens)",
                "depth (% of the context)",
                results.stream().map(DepthMap::length).toList(),
                depths.stream().map(String::valueOf).toList(),
                depths.stream()
                        .map(depth -> results.stream().map(r -> value(r, metric, depth)).toList())
                        .toList());
    }

    private static String length(ModelResult result) {
        return result.length() == 0 ? "its own" : Unit.LENGTH.label(result.length());
    }

    private static double value(ModelResult result, Metric metric, long depth) {
        return Figures.parts(result, DEPTH).stream()
                .filter(part -> part.metric().equals(metric) && part.bucket().from() == depth)
                .mapToDouble(Estimate::value)
                .findFirst()
                .orElse(Double.NaN);
    }
}
