package dev.recurrent.evaluation.task;

import dev.recurrent.evaluation.statistic.Accumulator;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Outcomes, summed: tallies of parts, added, equal the tally of the whole to the last bit, in
 * whatever order.
 */
public final class Tally implements Serializable {

    private static final long serialVersionUID = 1L;

    /** How many observations a document may add to a metric. */
    private static final long OBSERVATIONS = 1L << 24;

    private final List<Metric> metrics;
    private final long seed;
    private final Map<String, Accumulator> wholes = new HashMap<>();
    private final Map<Bucket, Map<String, Accumulator>> parts = new TreeMap<>();
    private long documents;
    private long tokens;
    private long stateBytes;

    /**
     * Constructs a tally of nothing.
     *
     * @param metrics those of the task
     * @param seed of the bootstrap
     */
    public Tally(List<Metric> metrics, long seed) {
        this.metrics = List.copyOf(metrics);
        this.seed = seed;
        metrics.forEach(metric -> accumulator(null, metric.name()));
    }

    /** Adds a document's outcome. */
    public void add(Outcome outcome) {
        documents++;
        tokens += outcome.tokens();
        stateBytes = Math.max(stateBytes, outcome.stateBytes());
        long identity = outcome.document() * OBSERVATIONS;
        for (Observation observation : outcome.observations()) {
            accumulator(observation.bucket(), observation.metric())
                    .add(identity++, observation.value(), observation.weight());
        }
    }

    /** Adds another part's outcomes. */
    public void add(Tally other) {
        documents += other.documents;
        tokens += other.tokens;
        stateBytes = Math.max(stateBytes, other.stateBytes);
        other.wholes.forEach((name, part) -> accumulator(null, name).add(part));
        other.parts.forEach(
                (bucket, all) -> all.forEach((name, part) -> accumulator(bucket, name).add(part)));
    }

    private Accumulator accumulator(Bucket bucket, String metric) {
        Map<String, Accumulator> sums =
                bucket == null ? wholes : parts.computeIfAbsent(bucket, key -> new HashMap<>());
        return sums.computeIfAbsent(metric, this::accumulator);
    }

    private Accumulator accumulator(String name) {
        return metrics.stream()
                .filter(metric -> metric.name().equals(name))
                .findFirst()
                .map(metric -> new Accumulator(metric.aggregation(), seed))
                .orElseThrow(() -> new IllegalArgumentException("There is no metric " + name));
    }

    /** Returns the number of documents. */
    public long documents() {
        return documents;
    }

    /** Returns how many tokens went through the model. */
    public long tokens() {
        return tokens;
    }

    /** Returns the largest state of one sequence, in bytes. */
    public long stateBytes() {
        return stateBytes;
    }

    /** Returns the metrics over everything, in the task's order. */
    public List<Estimate> wholes() {
        return estimates(null, wholes);
    }

    /** Returns the metrics over parts, where something was observed, by bucket. */
    public List<Estimate> parts() {
        List<Estimate> estimates = new ArrayList<>();
        parts.forEach((bucket, all) -> estimates.addAll(estimates(bucket, all)));
        return estimates;
    }

    private List<Estimate> estimates(Bucket bucket, Map<String, Accumulator> sums) {
        List<Estimate> estimates = new ArrayList<>();
        for (Metric metric : metrics) {
            Accumulator sum = sums.get(metric.name());
            if (sum != null) {
                estimates.add(
                        new Estimate(
                                metric, bucket, sum.value(), sum.standardError(), sum.count()));
            }
        }
        return estimates;
    }
}
