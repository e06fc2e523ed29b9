package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.statistic.Aggregation;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Metric.Direction;
import dev.recurrent.training.plot.LinePlot;
import dev.recurrent.training.plot.Mark;
import dev.recurrent.training.plot.Plot;
import dev.recurrent.training.plot.Series;
import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Series.Stroke;
import dev.recurrent.training.plot.Unit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * The pictures that results have the figures for, by file name:
 *
 * <ul>
 *   <li>{@code position_<task>.svg}: the score by how many tokens stood before, at the greatest
 *       length
 *   <li>{@code length_<task>.svg} and {@code throughput_<task>.svg}, of two lengths or more: the
 *       score, in bits per byte where the task tells it, and tokens a second
 *   <li>{@code state_<task>.svg}, of two models or more, one a length: the accuracy by the bytes of
 *       a sequence's state
 *   <li>{@code depth_<task>_<model>.svg}: the accuracy by length and depth
 * </ul>
 */
final class Pictures {

    private static final String POSITION = "position";

    /** Numbers that differ by more than this factor stand on a logarithmic axis. */
    private static final double SPREAD = 32;

    private static final int LONGEST_NAME = 40;

    private final List<ModelResult> results;
    private final Map<String, Plot> plots = new LinkedHashMap<>();

    private Pictures(List<ModelResult> results) {
        this.results = results;
    }

    static Map<String, Plot> of(List<ModelResult> results) {
        Pictures pictures = new Pictures(results);
        for (String task : results.stream().map(ModelResult::task).distinct().toList()) {
            List<ModelResult> ofTask =
                    results.stream().filter(result -> result.task().equals(task)).toList();
            pictures.addPositions(task, ofTask);
            pictures.addLengths(task, ofTask);
            pictures.addStates(ofTask);
        }
        pictures.addDepths();
        return pictures.plots;
    }

    private void addPositions(String task, List<ModelResult> all) {
        List<ModelResult> found = all.stream().filter(r -> !parts(r).isEmpty()).toList();
        Optional<ModelResult> longest = found.stream().max(Comparator.comparingInt(Pictures::span));
        if (longest.isEmpty()) {
            return;
        }
        int length = longest.get().length();
        Metric metric = parts(longest.get()).get(0).metric();
        List<Series> lines = new ArrayList<>();
        for (ModelResult result : found) {
            if (result.length() == length) {
                List<Point> points =
                        parts(result).stream()
                                .filter(part -> part.metric().equals(metric))
                                .map(Pictures::point)
                                .toList();
                lines.add(line(result.model(), points, lines.size()));
            }
        }
        put(
                "position_" + task,
                scores(
                        longest.get().key() + ": " + words(metric) + " by position",
                        "tokens before",
                        metric,
                        lines));
    }

    /** A task's own length is taken for the greatest: it is that of a whole text. */
    private static int span(ModelResult result) {
        return result.length() == 0 ? Integer.MAX_VALUE : result.length();
    }

    private static List<Estimate> parts(ModelResult result) {
        return result.measured().parts().stream()
                .filter(part -> part.bucket().axis().equals(POSITION))
                .toList();
    }

    /**
     * In the middle of a bucket, which has a place on a logarithmic axis also if it begins at 0.
     */
    private static Point point(Estimate part) {
        return new Point((part.bucket().from() + part.bucket().to()) / 2.0, part.value());
    }

    private void addLengths(String task, List<ModelResult> all) {
        List<ModelResult> found = all.stream().filter(result -> result.length() > 0).toList();
        if (found.stream().map(ModelResult::length).distinct().count() < 2) {
            return;
        }
        headline(found.get(0))
                .ifPresent(
                        metric ->
                                put(
                                        "length_" + task,
                                        scores(
                                                task + ": " + words(metric) + " by length",
                                                "length of a sequence (tokens)",
                                                metric,
                                                lines(found, result -> value(result, metric)))));
        LinePlot.Builder speed =
                LinePlot.builder()
                        .setTitle(task + ": throughput by length")
                        .setLabels("length of a sequence (tokens)", "tokens a second")
                        .optLogX(Unit.LENGTH)
                        .optYReach(0);
        lines(found, ModelResult::tokensPerSecond).forEach(speed::addSeries);
        put("throughput_" + task, speed.build());
    }

    private static List<Series> lines(
            List<ModelResult> results, Function<ModelResult, Double> value) {
        List<Series> lines = new ArrayList<>();
        for (String model : results.stream().map(ModelResult::model).distinct().toList()) {
            List<Point> points =
                    results.stream()
                            .filter(result -> result.model().equals(model))
                            .sorted(Comparator.comparingInt(ModelResult::length))
                            .map(result -> new Point(result.length(), value.apply(result)))
                            .toList();
            lines.add(line(model, points, lines.size()));
        }
        return lines;
    }

    private static Series line(String model, List<Point> points, int index) {
        return new Series(shorten(model), points, Series.color(index), Stroke.SOLID);
    }

    private static LinePlot scores(String title, String xLabel, Metric metric, List<Series> lines) {
        LinePlot.Builder plot =
                LinePlot.builder()
                        .setTitle(title)
                        .setLabels(xLabel, words(metric) + " " + metric.direction().arrow())
                        .optLogX(Unit.LENGTH);
        double[] values =
                lines.stream()
                        .flatMap(line -> line.points().stream())
                        .mapToDouble(Point::y)
                        .filter(Double::isFinite)
                        .sorted()
                        .toArray();
        if (metric.direction() == Direction.HIGHER) {
            plot.optYReach(0).optYReach(1);
        } else if (values.length > 0 && values[values.length - 1] > SPREAD * values[0]) {
            plot.optLogY(Unit.NUMBER);
        }
        for (Series line : lines) {
            plot.addSeries(line);
            line.points().forEach(p -> plot.addMark(new Mark(p, line.color(), true, null)));
        }
        return plot.build();
    }

    private void addStates(List<ModelResult> all) {
        Map<String, List<ModelResult>> lengths = new LinkedHashMap<>();
        all.stream()
                .filter(result -> result.measured().stateBytes() > 0)
                .filter(result -> accuracy(result).isPresent())
                .forEach(
                        result ->
                                lengths.computeIfAbsent(result.key(), key -> new ArrayList<>())
                                        .add(result));
        lengths.forEach(
                (key, found) -> {
                    if (found.size() > 1) {
                        put("state_" + key, states(key, found));
                    }
                });
    }

    private static LinePlot states(String key, List<ModelResult> found) {
        Metric metric = accuracy(found.get(0)).orElseThrow();
        LinePlot.Builder plot =
                LinePlot.builder()
                        .setTitle(key + ": " + words(metric) + " by state")
                        .setLabels(
                                "state of a sequence",
                                words(metric) + " " + metric.direction().arrow())
                        .optLogX(Unit.BYTES)
                        .optYReach(0)
                        .optYReach(1);
        for (ModelResult result : found) {
            Point point = new Point(result.measured().stateBytes(), value(result, metric));
            plot.addMark(new Mark(point, Series.color(0), true, shorten(result.model())));
        }
        return plot.build();
    }

    private void addDepths() {
        for (ModelResult first : results) {
            String name = "depth_" + first.task() + "_" + first.model();
            List<ModelResult> lengths =
                    results.stream()
                            .filter(result -> result.task().equals(first.task()))
                            .filter(result -> result.model().equals(first.model()))
                            .sorted(Comparator.comparingInt(Pictures::span))
                            .toList();
            if (first.equals(firstOf(lengths))) {
                DepthMap.of(first.task(), shorten(first.model()), lengths)
                        .ifPresent(map -> put(name, map));
            }
        }
    }

    private ModelResult firstOf(List<ModelResult> some) {
        return results.stream().filter(some::contains).findFirst().orElseThrow();
    }

    /** Bits per byte compare whatever the tokenizers; else what the task puts first. */
    private static Optional<Metric> headline(ModelResult result) {
        List<Metric> metrics =
                result.measured().estimates().stream().map(Estimate::metric).toList();
        return metrics.stream()
                .filter(metric -> metric.aggregation() == Aggregation.BITS)
                .findFirst()
                .or(() -> metrics.stream().findFirst());
    }

    private static Optional<Metric> accuracy(ModelResult result) {
        return result.measured().estimates().stream()
                .map(Estimate::metric)
                .findFirst()
                .filter(metric -> metric.direction() == Direction.HIGHER);
    }

    private static double value(ModelResult result, Metric metric) {
        return result.measured().estimates().stream()
                .filter(estimate -> estimate.metric().equals(metric))
                .mapToDouble(Estimate::value)
                .findFirst()
                .orElse(Double.NaN);
    }

    private void put(String name, Plot plot) {
        String file = FileNames.safe(name);
        int number = 2;
        while (plots.containsKey(file + ".svg")) {
            file = FileNames.safe(name) + "-" + number++;
        }
        plots.put(file + ".svg", plot);
    }

    private static String words(Metric metric) {
        return metric.name().replace('_', ' ');
    }

    /** The end of a long name tells it apart: paths begin alike. */
    private static String shorten(String model) {
        int letters = model.codePointCount(0, model.length());
        return letters <= LONGEST_NAME
                ? model
                : "…" + model.substring(model.offsetByCodePoints(0, letters - LONGEST_NAME + 1));
    }
}
