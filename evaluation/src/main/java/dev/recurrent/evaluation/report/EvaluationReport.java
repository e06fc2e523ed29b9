package dev.recurrent.evaluation.report;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The outcome of an evaluation.
 *
 * @param results one a model, task and length
 * @param settings what the results depend on, by name: JSON values
 * @param versions what they were made with, by name
 * @param date when it began
 * @param seconds how long it took, loading models included
 */
public record EvaluationReport(
        List<ModelResult> results,
        Map<String, Object> settings,
        Map<String, String> versions,
        Instant date,
        double seconds) {

    /** Copies list and maps. */
    public EvaluationReport {
        results = List.copyOf(results);
        settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
        versions = Collections.unmodifiableMap(new LinkedHashMap<>(versions));
    }

    /**
     * An evaluation that ends now, in this process.
     *
     * @param results one a model, task and length
     * @param settings what the results depend on, by name: JSON values
     * @param start when it began
     */
    public EvaluationReport(
            List<ModelResult> results, Map<String, Object> settings, Instant start) {
        this(
                results,
                settings,
                Versions.current(),
                start.truncatedTo(ChronoUnit.SECONDS),
                ChronoUnit.MILLIS.between(start, Instant.now()) / 1e3);
    }

    /**
     * An evaluation of nothing but its tasks, that ends now, in this process.
     *
     * @param results one a model, task and length
     * @param settings what the results depend on, by name: JSON values
     */
    public EvaluationReport(List<ModelResult> results, Map<String, Object> settings) {
        this(results, settings, start(results));
    }

    private static Instant start(List<ModelResult> results) {
        double seconds = results.stream().mapToDouble(ModelResult::seconds).sum();
        return Instant.now().minusMillis(Math.round(1e3 * seconds));
    }

    /**
     * Reads what {@link #toJson} wrote.
     *
     * @param file the results
     * @throws dev.recurrent.evaluation.InvalidInputException if it is no such file, saying which
     *     key is missing or wrong
     * @throws IOException if it cannot be read
     */
    public static EvaluationReport read(Path file) throws IOException {
        return ResultsReader.read(file);
    }

    /**
     * Returns two tables, with a column for the model or the length where there is any to tell: the
     * scores with their standard errors, and what they cost.
     */
    public String toTable() {
        return new ResultsTable(results).toString();
    }

    /**
     * Returns tables with a row for each model: every task's first metric with its standard error,
     * and the throughput and state of its last task.
     */
    public String toSummary() {
        return new Summary(results).toString();
    }

    /**
     * Returns a table in Markdown that compares models: a row each, a column a task and metric, the
     * best in bold where there are several.
     */
    public String toMarkdown() {
        return ModelTable.of(results).toString();
    }

    /**
     * Returns comma-separated values (RFC 4180): a row a model, task, length, metric and part of
     * the questions, numbers in full.
     */
    public String toCsv() {
        return ResultsCsv.of(results);
    }

    /**
     * Returns a JSON document. The same evaluation gives the same one but for what time and memory
     * tell: {@code date}, {@code total_time}, and {@code run} of each result.
     */
    public String toJson() {
        return Json.page(ResultsDocument.of(this));
    }
}
