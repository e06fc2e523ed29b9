package dev.recurrent.training.metric;

import ai.djl.ndarray.NDList;

/** exp of the mean of {@link TokenCrossEntropy}, taken after summing over all batches. */
public final class Perplexity extends TokenEvaluator {

    /** Constructs the evaluator. */
    public Perplexity() {
        super("Perplexity");
    }

    @Override
    Tally measure(NDList labels, NDList predictions) {
        return TokenCrossEntropy.measure(labels, predictions);
    }

    @Override
    double value(double mean) {
        return Math.exp(mean);
    }
}
