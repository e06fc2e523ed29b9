package dev.recurrent.evaluation.bench;

/**
 * Two times of one run, compared.
 *
 * @param name what is compared with what
 * @param value the quotient of the times
 */
public record Ratio(String name, double value) {}
