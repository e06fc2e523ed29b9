/**
 * Two evaluations against each other: what is in both, its differences, and whether they are more
 * than chance. {@link dev.recurrent.evaluation.statistic} defines errors and p-values.
 */
package dev.recurrent.evaluation.report.compare;
