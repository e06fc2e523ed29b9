/**
 * Sums, means, their errors and differences, equal to the last digit whatever the order and the
 * machine.
 *
 * <ul>
 *   <li>A mean of n observations has the standard error s / √n, s² = Σ(x − x̄)² / (n − 1).
 *   <li>A ratio of sums Σx / Σy, and functions of it (perplexity, bits), have the standard
 *       deviation of 1,000 Poisson bootstrap replicates: {@link
 *       dev.recurrent.evaluation.statistic.Accumulator}.
 *   <li>A difference b − a of independent numbers has √(seₐ² + se_b²), and of paired ones that of
 *       {@link dev.recurrent.evaluation.statistic.PairedSample}. z is the difference over its
 *       error, and p = P(|Z| ≥ |z|), Z standard normal.
 *   <li>p-values of m comparisons are corrected by {@link dev.recurrent.evaluation.statistic.Holm}.
 * </ul>
 */
package dev.recurrent.evaluation.statistic;
