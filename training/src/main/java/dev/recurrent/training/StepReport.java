package dev.recurrent.training;

/**
 * What an update of the parameters was like.
 *
 * @param step which update, from 1
 * @param loss mean of its batches' losses, before the update
 * @param learningRate of the update; NaN where the optimizer does not tell
 * @param gradientNorm Euclidean norm of all gradients, before clipping
 * @param tokens how many the update saw, padding included
 * @param seconds since the update before, or since the trainer's first pass
 */
public record StepReport(
        long step,
        double loss,
        double learningRate,
        double gradientNorm,
        long tokens,
        double seconds) {}
