package dev.recurrent.evaluation.task;

import java.io.Serializable;

/**
 * What something scored says about a metric.
 *
 * @param metric the metric's name
 * @param bucket the part of the questions that it belongs to; null for all of them
 * @param value x: a score, or a negative log-likelihood in nats
 * @param weight y: how many units x belongs to; 1 for a mean
 */
public record Observation(String metric, Bucket bucket, double value, long weight)
        implements Serializable {

    /** An observation that counts once. */
    public static Observation of(String metric, double value) {
        return new Observation(metric, null, value, 1);
    }

    /** 1 or 0. */
    public static Observation of(String metric, boolean value) {
        return of(metric, value ? 1 : 0);
    }

    /** Returns this as an observation of a part. */
    public Observation in(Bucket part) {
        return new Observation(metric, part, value, weight);
    }
}
