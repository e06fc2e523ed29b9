package dev.recurrent.evaluation.report;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import dev.recurrent.evaluation.task.Estimate;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The outcome of an evaluation.
 *
 * @param results one a model and task
 * @param settings what the results depend on, by name
 */
public record EvaluationReport(List<ModelResult> results, Map<String, Object> settings) {

    private static final Gson JSON =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().serializeNulls().create();

    /** Copies the list. */
    public EvaluationReport {
        results = List.copyOf(results);
    }

    /** Returns a table, with a column for the model where there are several. */
    public String toTable() {
        boolean several = results.stream().map(ModelResult::model).distinct().count() > 1;
        Table table = new Table();
        if (several) {
            table.column("Model", Table.Align.LEFT);
        }
        table.column("Tasks", Table.Align.LEFT)
                .column("Metric", Table.Align.LEFT)
                .column("↑/↓", Table.Align.LEFT)
                .column("Value", Table.Align.RIGHT)
                .column("±", Table.Align.LEFT)
                .column("Stderr", Table.Align.RIGHT);
        for (ModelResult result : results) {
            result.measured()
                    .estimates()
                    .forEach(estimate -> table.row(row(result, estimate, several)));
            runFigures(result)
                    .forEach(
                            (name, value) ->
                                    table.row(cells(result, several, name, "", value, "", "")));
        }
        return table.toString();
    }

    private static String[] row(ModelResult result, Estimate estimate, boolean several) {
        return cells(
                result,
                several,
                estimate.metric().name(),
                estimate.metric().direction().arrow(),
                Numbers.decimal(estimate.value()),
                "±",
                Numbers.decimal(estimate.standardError()));
    }

    private static Map<String, String> runFigures(ModelResult result) {
        Map<String, String> figures = new LinkedHashMap<>();
        figures.put("tokens/s", Numbers.rate(result.tokensPerSecond()));
        if (result.peakBytes() > 0) {
            figures.put("peak memory", Numbers.bytes(result.peakBytes()));
        }
        figures.put("state", Numbers.bytes(result.measured().stateBytes()));
        return figures;
    }

    private static String[] cells(
            ModelResult result,
            boolean several,
            String metric,
            String arrow,
            String value,
            String sign,
            String error) {
        return several
                ? new String[] {result.model(), result.task(), metric, arrow, value, sign, error}
                : new String[] {result.task(), metric, arrow, value, sign, error};
    }

    /** Returns a JSON document: results by model and task, and the settings. */
    public String toJson() {
        Map<String, Map<String, Object>> models = new LinkedHashMap<>();
        for (ModelResult result : results) {
            models.computeIfAbsent(result.model(), name -> new LinkedHashMap<>())
                    .put(result.task(), values(result));
        }
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("results", models);
        document.put("config", settings);
        return JSON.toJson(document) + "\n";
    }

    private static Map<String, Object> values(ModelResult result) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (Estimate estimate : result.measured().estimates()) {
            String name = estimate.metric().name();
            values.put(name, finite(estimate.value()));
            values.put(name + "_stderr", finite(estimate.standardError()));
        }
        values.put("samples", result.measured().documents());
        values.put("tokens", result.measured().tokens());
        values.put("seconds", result.seconds());
        values.put("tokens_per_second", result.tokensPerSecond());
        values.put("peak_memory_bytes", result.peakBytes() > 0 ? result.peakBytes() : null);
        values.put("state_bytes", result.measured().stateBytes());
        return values;
    }

    /** JSON has no NaN. */
    private static Double finite(double value) {
        return Double.isNaN(value) ? null : value;
    }
}
