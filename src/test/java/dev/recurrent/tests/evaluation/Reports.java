package dev.recurrent.tests.evaluation;

import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.statistic.Aggregation;
import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Measured;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Metric.Direction;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Results that no model made. */
final class Reports {

    static final Metric ACC = Metric.accuracy("acc");
    static final Metric PERPLEXITY = Metric.perplexity("token_perplexity");
    static final Metric BITS = new Metric("bits_per_byte", Direction.LOWER, Aggregation.BITS);
    static final Instant DATE = Instant.parse("2025-01-31T12:30:05Z");

    private Reports() {}

    static Estimate of(Metric metric, double value, double error) {
        return new Estimate(metric, null, value, error, 100);
    }

    static Estimate part(Metric metric, Bucket bucket, double value) {
        return new Estimate(metric, bucket, value, 0.01, 10);
    }

    static ModelResult result(String model, String task, int length, Estimate... estimates) {
        return result(model, task, length, 4096, List.of(estimates), List.of());
    }

    static ModelResult result(
            String model,
            String task,
            int length,
            long state,
            List<Estimate> estimates,
            List<Estimate> parts) {
        return new ModelResult(
                model, task, length, new Measured(estimates, parts, 50, 12_000, state), 1.5, 0);
    }

    static EvaluationReport report(ModelResult... results) {
        return report(List.of(results), Map.of());
    }

    static EvaluationReport report(List<ModelResult> results, Map<String, Object> settings) {
        Map<String, String> versions = new LinkedHashMap<>();
        versions.put("recurrent", null);
        versions.put("java", "17");
        return new EvaluationReport(results, settings, versions, DATE, 12.25);
    }

    /** Models of all kinds on tasks of all kinds, with all pictures. */
    static List<ModelResult> rich() {
        String[] models = {
            "delta-net", "gated-deltanet", "gated-deltanet-h1", "gated-deltanet-h2", "mamba2",
            "hawk", "griffin", "mqa-transformer", "delta-net-swa", "delta-net-global"
        };
        List<ModelResult> results = new ArrayList<>();
        for (int m = 0; m < models.length; m++) {
            boolean transformer = models[m].equals("mqa-transformer");
            long state = transformer ? 1 << 20 : (16L << 10) + 1000L * m * m;
            results.add(
                    result(
                            models[m],
                            "perplexity",
                            0,
                            state,
                            List.of(of(PERPLEXITY, 4 + 0.1 * m, 0.02), of(BITS, 2 + m / 50.0, 0.1)),
                            positions(m, transformer)));
            for (int length = 256; length <= 16_384; length *= 4) {
                long bytes = transformer ? 64L * length : state;
                results.add(
                        result(
                                models[m],
                                "perplexity",
                                length,
                                bytes,
                                List.of(
                                        of(PERPLEXITY, 4.5 + 0.1 * m - length / 3e4, 0.02),
                                        of(BITS, 2.2 + m / 40.0 - length / 2e5, 0.1)),
                                List.of()));
            }
            for (int length = 1024; length <= 4096; length *= 2) {
                results.add(
                        result(
                                models[m],
                                "niah_single_1",
                                length,
                                transformer ? 64L * length : state,
                                List.of(of(ACC, 0.95 - 0.07 * m, 0.02)),
                                depths(m, length)));
            }
        }
        return results;
    }

    private static List<Estimate> positions(int model, boolean explodes) {
        List<Estimate> parts = new ArrayList<>();
        parts.add(part(PERPLEXITY, new Bucket("position", 0, 64), 9 + 0.1 * model));
        for (int from = 64; from < 16_384; from *= 2) {
            double factor = explodes && from >= 1024 ? from / 200.0 : 1;
            parts.add(
                    part(
                            PERPLEXITY,
                            new Bucket("position", from, 2L * from),
                            factor * (4 + 0.15 * model + 100.0 / from)));
        }
        return parts;
    }

    private static List<Estimate> depths(int model, int length) {
        List<Estimate> parts = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            long depth = Math.round(i * 100 / 39.0);
            double value = Math.min(1, 0.2 + depth / 100.0 + 0.1 * model - length / 1e4);
            parts.add(part(ACC, Bucket.at("depth", depth), Math.max(0, value)));
        }
        return parts;
    }
}
