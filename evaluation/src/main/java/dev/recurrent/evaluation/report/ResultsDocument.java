package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Measured;
import dev.recurrent.evaluation.task.Metric;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The JSON document of an evaluation, which {@link ResultsReader} reads. */
final class ResultsDocument {

    private ResultsDocument() {}

    static Map<String, Object> of(EvaluationReport report) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("results", results(report.results()));
        document.put("metrics", metrics(report.results()));
        document.put("config", report.settings());
        document.put("versions", report.versions());
        document.put("date", report.date().toString());
        document.put("total_time", report.seconds());
        return document;
    }

    private static Map<String, Map<String, Object>> results(List<ModelResult> results) {
        Map<String, Map<String, Object>> models = new LinkedHashMap<>();
        for (ModelResult result : results) {
            models.computeIfAbsent(result.model(), name -> new LinkedHashMap<>())
                    .put(result.key(), result(result));
        }
        return models;
    }

    private static Map<String, Object> result(ModelResult result) {
        Measured measured = result.measured();
        Map<String, Object> values = new LinkedHashMap<>();
        for (Estimate estimate : measured.estimates()) {
            String name = estimate.metric().name();
            values.put(name, estimate.value());
            values.put(name + "_stderr", estimate.standardError());
            values.put(name + "_count", estimate.count());
        }
        values.put("n_samples", measured.documents());
        values.put("tokens", measured.tokens());
        values.put("state_bytes", measured.stateBytes());
        values.put("parts", measured.parts().stream().map(ResultsDocument::part).toList());
        values.put("run", run(result));
        return values;
    }

    private static Map<String, Object> part(Estimate estimate) {
        Bucket bucket = estimate.bucket();
        Map<String, Object> part = new LinkedHashMap<>();
        part.put("metric", estimate.metric().name());
        part.put("axis", bucket.axis());
        part.put("from", bucket.from());
        part.put("to", bucket.to());
        part.put("value", estimate.value());
        part.put("stderr", estimate.standardError());
        part.put("count", estimate.count());
        return part;
    }

    private static Map<String, Object> run(ModelResult result) {
        Map<String, Object> run = new LinkedHashMap<>();
        run.put("seconds", result.seconds());
        run.put("tokens_per_second", result.tokensPerSecond());
        run.put("peak_memory_bytes", result.peakBytes() > 0 ? result.peakBytes() : null);
        return run;
    }

    private static Map<String, Map<String, Object>> metrics(List<ModelResult> results) {
        Map<String, Map<String, Object>> tasks = new LinkedHashMap<>();
        for (ModelResult result : results) {
            Map<String, Object> metrics =
                    tasks.computeIfAbsent(result.task(), name -> new LinkedHashMap<>());
            for (Estimate estimate : result.measured().estimates()) {
                metrics.put(estimate.metric().name(), metric(estimate.metric()));
            }
        }
        return tasks;
    }

    private static Map<String, Object> metric(Metric metric) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("higher_is_better", metric.direction() == Metric.Direction.HIGHER);
        values.put("aggregation", metric.aggregation().name().toLowerCase(Locale.ROOT));
        return values;
    }
}
