/**
 * Results as tables, Markdown, CSV, JSON, samples and pictures: {@link
 * dev.recurrent.evaluation.report.EvaluationReport} holds them, {@link
 * dev.recurrent.evaluation.report.ResultsFolder} writes them all.
 *
 * <p>Of the JSON document, {@code date}, {@code total_time} and the {@code run} of each result tell
 * time and memory; all else is the same whenever the same evaluation is run. Standard errors are
 * defined in {@link dev.recurrent.evaluation.statistic}.
 */
package dev.recurrent.evaluation.report;
