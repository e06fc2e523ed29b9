package dev.recurrent.evaluation.task;

/**
 * A measured number.
 *
 * @param metric what it is
 * @param bucket the part of the questions that it belongs to; null for all
 * @param value the number; NaN where nothing was observed
 * @param standardError of the number; NaN where there is none
 * @param count how many observations it rests on
 */
public record Estimate(
        Metric metric, Bucket bucket, double value, double standardError, long count) {}
