package dev.recurrent.evaluation.report;

import dev.recurrent.training.plot.Plot;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

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

    private final Map<String, Plot> plots = new LinkedHashMap<>();

    private Pictures() {}

    static Map<String, Plot> of(List<ModelResult> results) {
        Pictures pictures = new Pictures();
        by(results, ModelResult::task).forEach(pictures::addTask);
        return pictures.plots;
    }

    private void addTask(String task, List<ModelResult> results) {
        PositionLines.of(results).ifPresent(plot -> put("position_" + task, plot));
        List<ModelResult> sized = results.stream().filter(result -> result.length() > 0).toList();
        if (by(sized, ModelResult::length).size() > 1) {
            LengthLines lines = new LengthLines(task, sized);
            lines.scores().ifPresent(plot -> put("length_" + task, plot));
            put("throughput_" + task, lines.throughput());
        }
        by(results, ModelResult::key)
                .forEach(
                        (key, models) ->
                                StatePoints.of(key, models)
                                        .ifPresent(plot -> put("state_" + key, plot)));
        by(results, ModelResult::model)
                .forEach(
                        (model, lengths) ->
                                DepthMap.of(
                                                task,
                                                model,
                                                lengths.stream()
                                                        .sorted(
                                                                Comparator.comparingInt(
                                                                        Figures::span))
                                                        .toList())
                                        .ifPresent(
                                                plot -> put("depth_" + task + "_" + model, plot)));
    }

    private static <K> Map<K, List<ModelResult>> by(
            List<ModelResult> results, Function<ModelResult, K> key) {
        return results.stream()
                .collect(Collectors.groupingBy(key, LinkedHashMap::new, Collectors.toList()));
    }

    /** Names that differ in what file systems mind are numbered. */
    private void put(String name, Plot plot) {
        String file = FileNames.safe(name);
        int number = 2;
        while (plots.containsKey(file + ".svg")) {
            file = FileNames.safe(name) + "-" + number++;
        }
        plots.put(file + ".svg", plot);
    }
}
