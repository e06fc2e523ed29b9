package dev.recurrent.training.run;

import java.nio.file.Path;

/**
 * What came of a run.
 *
 * @param steps updates there were in all
 * @param validationLoss the last, in nats a token; NaN without validation
 * @param bestLoss the least validation loss; NaN without validation
 * @param finished whether all updates were made; false after an interruption
 * @param model the folder of the model that came out; null after an interruption
 */
public record RunResult(
        long steps, double validationLoss, double bestLoss, boolean finished, Path model) {}
