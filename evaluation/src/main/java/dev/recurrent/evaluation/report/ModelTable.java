package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.report.Table.Align;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;

/** Models beside each other: a row each, a column a task and metric. */
final class ModelTable {

    private static final String NONE = "–";

    private ModelTable() {}

    private record Score(String key, Metric metric) {

        String title() {
            return key + " " + metric.name() + " " + metric.direction().arrow();
        }

        double best(DoubleStream values) {
            DoubleStream numbers = values.filter(value -> !Double.isNaN(value));
            return (metric.direction() == Metric.Direction.HIGHER ? numbers.max() : numbers.min())
                    .orElse(Double.NaN);
        }
    }

    static Table of(List<ModelResult> results) {
        Map<Score, Map<String, Double>> scores = new LinkedHashMap<>();
        for (ModelResult result : results) {
            for (Estimate estimate : result.measured().estimates()) {
                scores.computeIfAbsent(
                                new Score(result.key(), estimate.metric()),
                                score -> new LinkedHashMap<>())
                        .put(result.model(), estimate.value());
            }
        }
        Table table = new Table().column("Model", Align.LEFT);
        scores.keySet().forEach(score -> table.column(score.title(), Align.RIGHT));
        for (String model : results.stream().map(ModelResult::model).distinct().toList()) {
            List<String> row = new ArrayList<>(List.of(model));
            scores.forEach((score, values) -> row.add(cell(score, values, model)));
            table.row(row.toArray(String[]::new));
        }
        return table;
    }

    /** What reads the same as the best is as good; where all do, none stands out. */
    private static String cell(Score score, Map<String, Double> values, String model) {
        if (!values.containsKey(model)) {
            return NONE;
        }
        String value = Numbers.decimal(values.get(model));
        double best = score.best(values.values().stream().mapToDouble(x -> x));
        boolean differ = values.values().stream().map(Numbers::decimal).distinct().count() > 1;
        boolean isBest = differ && value.equals(Numbers.decimal(best));
        return isBest && !Double.isNaN(best) ? "**" + value + "**" : value;
    }
}
