/**
 * Evaluation and the command line: {@link dev.recurrent.evaluation.score} computes likelihoods,
 * {@link dev.recurrent.evaluation.task} defines what is measured with them, {@link
 * dev.recurrent.evaluation.verify} compares models with expected outputs, {@link
 * dev.recurrent.evaluation.bench} measures time and memory, {@link dev.recurrent.evaluation.report}
 * writes results down, and {@link dev.recurrent.evaluation.cli} is the {@code recurrent} command
 * over all of them.
 */
package dev.recurrent.evaluation;
