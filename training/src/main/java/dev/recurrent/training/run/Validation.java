package dev.recurrent.training.run;

import ai.djl.ndarray.NDList;
import ai.djl.training.dataset.Batch;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.metric.TokenAccuracy;
import dev.recurrent.training.metric.TokenCrossEntropy;
import java.io.IOException;

/**
 * How good the model is on data that it does not train on.
 *
 * @param loss mean negative log-likelihood in nats a token
 * @param accuracy the part of tokens that the model would have guessed
 */
record Validation(double loss, double accuracy) {

    /** Without data for it. */
    static final Validation NONE = new Validation(Double.NaN, Double.NaN);

    private static final String KEY = "validation";

    static Validation of(LanguageModelTrainer trainer, RunData data, int limit) throws IOException {
        TokenCrossEntropy loss = new TokenCrossEntropy();
        TokenAccuracy accuracy = new TokenAccuracy();
        loss.addAccumulator(KEY);
        accuracy.addAccumulator(KEY);
        int batches = 0;
        for (Batch batch : data.validation(trainer.getManager())) {
            try (batch) {
                if (limit > 0 && batches == limit) {
                    break;
                }
                NDList predictions = trainer.evaluate(batch.getData());
                loss.updateAccumulator(KEY, batch.getLabels(), predictions);
                accuracy.updateAccumulator(KEY, batch.getLabels(), predictions);
                batches++;
            }
        }
        return batches == 0
                ? NONE
                : new Validation(loss.getAccumulator(KEY), accuracy.getAccumulator(KEY));
    }
}
