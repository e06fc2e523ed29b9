package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.report.Table.Align;
import dev.recurrent.evaluation.task.Estimate;
import java.util.ArrayList;
import java.util.List;

/**
 * Scores and costs as people read them on a terminal, in the columns of lm-evaluation-harness. What
 * a result's rows share stands on its first.
 */
final class ResultsTable {

    private final List<ModelResult> results;
    private final boolean models;
    private final boolean lengths;

    ResultsTable(List<ModelResult> results) {
        this.results = results;
        models = results.stream().map(ModelResult::model).distinct().count() > 1;
        lengths = results.stream().anyMatch(result -> result.length() > 0);
    }

    @Override
    public String toString() {
        return scores() + "\n" + costs();
    }

    private Table scores() {
        Table table =
                start().column("Metric", Align.LEFT)
                        .column("↑/↓", Align.LEFT)
                        .column("Value", Align.RIGHT)
                        .column("±", Align.LEFT)
                        .column("Stderr", Align.RIGHT);
        for (ModelResult result : results) {
            boolean first = true;
            for (Estimate estimate : result.measured().estimates()) {
                table.row(
                        cells(
                                result,
                                first,
                                estimate.metric().name(),
                                estimate.metric().direction().arrow(),
                                Numbers.decimal(estimate.value()),
                                "±",
                                Numbers.decimal(estimate.standardError())));
                first = false;
            }
        }
        return table;
    }

    private Table costs() {
        Table table =
                start().column("Samples", Align.RIGHT)
                        .column("Tokens", Align.RIGHT)
                        .column("Tokens/s", Align.RIGHT)
                        .column("Peak memory", Align.RIGHT)
                        .column("State", Align.RIGHT);
        for (ModelResult result : results) {
            long state = result.measured().stateBytes();
            table.row(
                    cells(
                            result,
                            true,
                            Long.toString(result.measured().documents()),
                            Long.toString(result.measured().tokens()),
                            Numbers.rate(result.tokensPerSecond()),
                            result.peakBytes() > 0 ? Numbers.bytes(result.peakBytes()) : "N/A",
                            state > 0 ? Numbers.bytes(state) : "N/A"));
        }
        return table;
    }

    private Table start() {
        Table table = new Table();
        if (models) {
            table.column("Model", Align.LEFT);
        }
        table.column("Tasks", Align.LEFT);
        if (lengths) {
            table.column("Length", Align.RIGHT);
        }
        return table;
    }

    private String[] cells(ModelResult result, boolean first, String... others) {
        List<String> cells = new ArrayList<>();
        if (models) {
            cells.add(first ? result.model() : "");
        }
        cells.add(first ? result.task() : "");
        if (lengths) {
            cells.add(first && result.length() > 0 ? Integer.toString(result.length()) : "");
        }
        cells.addAll(List.of(others));
        return cells.toArray(String[]::new);
    }
}
