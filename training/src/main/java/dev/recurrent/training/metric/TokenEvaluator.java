package dev.recurrent.training.metric;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.evaluator.Evaluator;

/** An evaluator whose value follows from a mean over the tokens that count. */
abstract class TokenEvaluator extends Evaluator implements ReadsHalfPrecision {

    private final Accumulators accumulators;

    TokenEvaluator(String name) {
        super(name);
        accumulators = new Accumulators(name);
    }

    /**
     * Sums a quantity over the tokens that count.
     *
     * @throws IllegalArgumentException if types or shapes do not fit, or a label is neither in the
     *     vocabulary nor ignored
     */
    abstract Tally measure(NDList labels, NDList predictions);

    /** Turns a token's mean into the evaluator's value. */
    abstract double value(double mean);

    /**
     * Evaluates one batch.
     *
     * @param labels [int64 [B, T]]
     * @param predictions [logits [B, T, vocabulary]]
     * @return float32 of shape (), in the manager of the logits
     * @throws IllegalArgumentException if types or shapes do not fit, a label is neither in the
     *     vocabulary nor ignored, or no label counts
     */
    @Override
    public NDArray evaluate(NDList labels, NDList predictions) {
        Tally tally = measure(labels, predictions);
        if (tally.count() == 0) {
            throw LabelledLogits.nothingCounts(labels.head().size());
        }
        return predictions.head().getManager().create((float) value(tally.mean()));
    }

    @Override
    public void addAccumulator(String key) {
        accumulators.reset(key);
    }

    @Override
    public void updateAccumulator(String key, NDList labels, NDList predictions) {
        updateAccumulators(new String[] {key}, labels, predictions);
    }

    /**
     * Adds a batch to accumulators.
     *
     * @throws IllegalArgumentException as {@link #evaluate}, but no label need count
     */
    @Override
    public void updateAccumulators(String[] keys, NDList labels, NDList predictions) {
        accumulators.add(keys, measure(labels, predictions));
    }

    @Override
    public void resetAccumulator(String key) {
        accumulators.reset(key);
    }

    /** {@inheritDoc} NaN where no token has counted. */
    @Override
    public float getAccumulator(String key) {
        return (float) value(accumulators.get(key).mean());
    }
}
