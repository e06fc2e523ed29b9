/**
 * The loss of token prediction, and DJL evaluators beside it. All count a token where its label is
 * not {@link dev.recurrent.training.metric.Labels#IGNORED}, and their accumulators weigh every
 * counted token alike, however tokens fall into batches.
 *
 * <p>Shapes are [B, T] for labels and [B, T, vocabulary] for logits; [N] and [N, vocabulary], or
 * more axes, do as well.
 */
package dev.recurrent.training.metric;
