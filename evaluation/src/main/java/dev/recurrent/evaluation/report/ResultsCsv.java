package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;
import java.util.List;
import java.util.stream.Stream;

/** Results as comma-separated values: a record an estimate, of the whole or of a part. */
final class ResultsCsv {

    private ResultsCsv() {}

    static String of(List<ModelResult> results) {
        Csv csv =
                new Csv(
                        "model",
                        "task",
                        "length",
                        "metric",
                        "higher_is_better",
                        "axis",
                        "from",
                        "to",
                        "value",
                        "stderr",
                        "count",
                        "n_samples",
                        "tokens",
                        "state_bytes",
                        "seconds",
                        "peak_memory_bytes");
        for (ModelResult result : results) {
            Stream.of(result.measured().estimates(), result.measured().parts())
                    .flatMap(List::stream)
                    .forEach(estimate -> add(csv, result, estimate));
        }
        return csv.toString();
    }

    private static void add(Csv csv, ModelResult result, Estimate estimate) {
        Bucket bucket = estimate.bucket();
        csv.record(
                result.model(),
                result.task(),
                result.length() > 0 ? result.length() : null,
                estimate.metric().name(),
                estimate.metric().direction() == Metric.Direction.HIGHER,
                bucket == null ? null : bucket.axis(),
                bucket == null ? null : bucket.from(),
                bucket == null ? null : bucket.to(),
                estimate.value(),
                estimate.standardError(),
                estimate.count(),
                result.measured().documents(),
                result.measured().tokens(),
                result.measured().stateBytes(),
                result.seconds(),
                result.peakBytes() > 0 ? result.peakBytes() : null);
    }
}
