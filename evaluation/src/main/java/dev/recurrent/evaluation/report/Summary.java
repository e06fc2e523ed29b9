package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.report.Table.Align;
import dev.recurrent.evaluation.task.Estimate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Models beside each other by each task's first metric, with standard error, and what they cost: a
 * table for all models that were measured by the same tasks. Costs are those of the last task.
 */
final class Summary {

    private final List<ModelResult> results;

    Summary(List<ModelResult> results) {
        this.results = results;
    }

    @Override
    public String toString() {
        Map<String, List<ModelResult>> models = new LinkedHashMap<>();
        results.forEach(
                result ->
                        models.computeIfAbsent(result.model(), key -> new ArrayList<>())
                                .add(result));
        Map<List<String>, Table> tables = new LinkedHashMap<>();
        for (List<ModelResult> model : models.values()) {
            tables.computeIfAbsent(
                            model.stream().map(ModelResult::key).toList(), keys -> start(model))
                    .row(row(model));
        }
        return String.join("\n", tables.values().stream().map(Table::toString).toList());
    }

    private static Table start(List<ModelResult> model) {
        Table table = new Table().column("Model", Align.LEFT);
        for (ModelResult result : model) {
            Estimate first = result.measured().estimates().get(0);
            table.column(
                    result.key()
                            + " "
                            + first.metric().name()
                            + " "
                            + first.metric().direction().arrow(),
                    Align.RIGHT);
        }
        return table.column("Tokens/s", Align.RIGHT).column("State", Align.RIGHT);
    }

    private static String[] row(List<ModelResult> model) {
        List<String> cells = new ArrayList<>(List.of(model.get(0).model()));
        for (ModelResult result : model) {
            Estimate first = result.measured().estimates().get(0);
            String error =
                    Double.isNaN(first.standardError())
                            ? ""
                            : " ± " + Numbers.decimal(first.standardError());
            cells.add(Numbers.decimal(first.value()) + error);
        }
        ModelResult last = model.get(model.size() - 1);
        cells.add(Numbers.rate(last.tokensPerSecond()));
        long state = last.measured().stateBytes();
        cells.add(state > 0 ? Numbers.bytes(state) : "N/A");
        return cells.toArray(String[]::new);
    }
}
