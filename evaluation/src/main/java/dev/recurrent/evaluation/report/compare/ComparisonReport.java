package dev.recurrent.evaluation.report.compare;

import dev.recurrent.evaluation.report.Csv;
import dev.recurrent.evaluation.report.Json;
import dev.recurrent.evaluation.report.Numbers;
import dev.recurrent.evaluation.report.Table;
import dev.recurrent.evaluation.report.Table.Align;
import dev.recurrent.evaluation.task.Metric;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A comparison in the forms that results have.
 *
 * @param comparison what is shown
 * @param holm whether stars tell corrected p-values
 */
public record ComparisonReport(Comparison comparison, boolean holm) {

    /** Returns a table, and what its signs mean. */
    public String toTable() {
        return toMarkdown() + "\n" + legend();
    }

    /** Returns the table alone. */
    public String toMarkdown() {
        List<ScoreDifference> scores = comparison.scores();
        boolean lengths = scores.stream().anyMatch(score -> score.length() > 0);
        Table table = new Table().column("Model", Align.LEFT).column("Tasks", Align.LEFT);
        if (lengths) {
            table.column("Length", Align.RIGHT);
        }
        table.column("Metric", Align.LEFT)
                .column("↑/↓", Align.LEFT)
                .column("A", Align.RIGHT)
                .column("B", Align.RIGHT)
                .column("B − A", Align.RIGHT)
                .column("±", Align.LEFT)
                .column("Stderr", Align.RIGHT)
                .column("Pairs", Align.RIGHT)
                .column("z", Align.RIGHT)
                .column("p", Align.RIGHT)
                .column("p perm.", Align.RIGHT)
                .column("p Holm", Align.RIGHT)
                .column("B is", Align.LEFT);
        scores.forEach(score -> table.row(cells(score, lengths)));
        return table.toString();
    }

    private String[] cells(ScoreDifference score, boolean lengths) {
        String length = score.length() > 0 ? Integer.toString(score.length()) : "";
        String[] names =
                lengths
                        ? new String[] {score.models(), score.task(), length}
                        : new String[] {score.models(), score.task()};
        String[] figures = {
            score.metric().name(),
            score.metric().direction().arrow(),
            Numbers.decimal(score.a().value()),
            Numbers.decimal(score.b().value()),
            signed(score.difference().value()),
            "±",
            Numbers.decimal(score.difference().standardError()),
            score.difference().pairs() > 0 ? Long.toString(score.difference().pairs()) : "–",
            fixed("%.2f", score.difference().z()),
            probability(score.difference().p()),
            probability(score.difference().permutation()),
            probability(score.holm()),
            verdict(score)
        };
        return Stream.of(names, figures).flatMap(Arrays::stream).toArray(String[]::new);
    }

    private String verdict(ScoreDifference score) {
        String stars = stars(score);
        String word =
                switch (score.improvement()) {
                    case 1 -> "▲ better";
                    case -1 -> "▼ worse";
                    default -> "=";
                };
        return stars.isEmpty() ? word : word + " " + stars;
    }

    private String stars(ScoreDifference score) {
        return ScoreDifference.stars(holm ? score.holm() : score.difference().p());
    }

    private static String signed(double value) {
        String text = Numbers.decimal(value);
        return value > 0 ? "+" + text : text;
    }

    private static String fixed(String format, double value) {
        return Double.isNaN(value) ? "N/A" : String.format(Locale.ROOT, format, value);
    }

    private static String probability(double p) {
        return p < 1e-4 ? "<0.0001" : fixed("%.4f", p);
    }

    private String legend() {
        return "A: "
                + comparison.first()
                + "\nB: "
                + comparison.second()
                + "\n"
                + (holm ? "* p Holm < .05, ** p Holm < .01" : "* p < .05, ** p < .01")
                + ", two-sided. With many comparisons some p are small by chance; p Holm is"
                + " corrected for all "
                + comparison.scores().size()
                + ".\n";
    }

    /** Returns comma-separated values, numbers in full. */
    public String toCsv() {
        List<Map<String, Object>> rows = comparison.scores().stream().map(this::values).toList();
        Csv csv = new Csv(rows.get(0).keySet().toArray(String[]::new));
        rows.forEach(row -> csv.record(row.values().toArray()));
        return csv.toString();
    }

    /** Returns a JSON document: the runs, the scores, and what else differs. */
    public String toJson() {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("a", comparison.first().toString());
        document.put("b", comparison.second().toString());
        document.put("comparisons", comparison.scores().stream().map(this::values).toList());
        document.put("warnings", comparison.warnings());
        return Json.page(document);
    }

    private Map<String, Object> values(ScoreDifference score) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("model_a", score.first());
        values.put("model_b", score.second());
        values.put("task", score.task());
        values.put("length", score.length() > 0 ? score.length() : null);
        values.put("metric", score.metric().name());
        values.put("higher_is_better", score.metric().direction() == Metric.Direction.HIGHER);
        values.put("a", score.a().value());
        values.put("a_stderr", score.a().standardError());
        values.put("b", score.b().value());
        values.put("b_stderr", score.b().standardError());
        values.put("difference", score.difference().value());
        values.put("difference_stderr", score.difference().standardError());
        values.put("pairs", score.difference().pairs() > 0 ? score.difference().pairs() : null);
        values.put("z", score.difference().z());
        values.put("p", score.difference().p());
        values.put("p_permutation", score.difference().permutation());
        values.put("p_holm", score.holm());
        values.put("improvement", score.improvement());
        values.put("significance", stars(score));
        return values;
    }
}
