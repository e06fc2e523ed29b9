package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.training.plot.HeatMap;
import java.util.List;
import java.util.Optional;

/** A model's accuracy over lengths and depths: how deep in its context something stood. */
final class DepthMap {

    private static final String DEPTH = "depth";

    private DepthMap() {}

    /**
     * Draws a task's results.
     *
     * @param results of one model and task, by length
     * @return the picture; empty where nothing was observed by depth
     */
    static Optional<HeatMap> of(String task, String model, List<ModelResult> results) {
        Optional<Metric> metric =
                results.stream()
                        .flatMap(result -> result.measured().parts().stream())
                        .filter(part -> part.bucket().axis().equals(DEPTH))
                        .map(Estimate::metric)
                        .filter(found -> found.direction() == Metric.Direction.HIGHER)
                        .findFirst();
        return metric.map(found -> draw(task, model, results, found));
    }

    private static HeatMap draw(
            String task, String model, List<ModelResult> results, Metric metric) {
        List<Long> depths =
                results.stream()
                        .flatMap(result -> result.measured().parts().stream())
                        .filter(part -> part.bucket().axis().equals(DEPTH))
                        .map(part -> part.bucket().from())
                        .distinct()
                        .sorted()
                        .toList();
        return new HeatMap(
                task + ": " + metric.name().replace('_', ' ') + " of " + model,
                "length of a sequence (tokens)",
                "depth (% of the context)",
                results.stream().map(DepthMap::length).toList(),
                depths.stream().map(String::valueOf).toList(),
                depths.stream()
                        .map(depth -> results.stream().map(r -> value(r, metric, depth)).toList())
                        .toList());
    }

    private static String length(ModelResult result) {
        int length = result.length();
        return length == 0
                ? "its own"
                : length % 1024 == 0 ? length / 1024 + "K" : Integer.toString(length);
    }

    private static double value(ModelResult result, Metric metric, long depth) {
        return result.measured().parts().stream()
                .filter(part -> part.metric().equals(metric))
                .filter(part -> part.bucket().axis().equals(DEPTH))
                .filter(part -> part.bucket().from() == depth)
                .mapToDouble(Estimate::value)
                .findFirst()
                .orElse(Double.NaN);
    }
}
