package dev.recurrent.training.metric;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.loss.Loss;
import dev.recurrent.blocks.rule.CrossEntropy;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;

/**
 * The loss of token prediction: the mean of −log softmax(logits)[label] over the tokens that count,
 * in nats, computed in float32 whatever the logits' type.
 *
 * <p>Labels are int64 [B, T], logits [B, T, vocabulary]; a label of {@link Labels#IGNORED} does not
 * count. Labels may lie on the host while logits are on a device, which spares a synchronisation.
 *
 * <p>What autograd keeps of the logits, {@link CrossEntropy} says. Accumulators work without
 * gradients and in pieces, so what they need does not grow with the batch; each holds Σ loss / Σ
 * tokens of all its batches, not the mean of the batches' means.
 */
public final class TokenCrossEntropy extends Loss implements ReadsHalfPrecision {

    /** Logits that may be in float32 at a time where no gradient is wanted: 128 MiB. */
    private static final long PIECE = 1L << 25;

    private final Accumulators accumulators;

    /** Constructs the loss. */
    public TokenCrossEntropy() {
        super("TokenCrossEntropy");
        accumulators = new Accumulators(getName());
    }

    /**
     * Computes the mean over the tokens that count.
     *
     * @param labels [int64 [B, T]]
     * @param predictions [logits [B, T, vocabulary]]
     * @return float32 of shape (), in the manager of the logits, which autograd has recorded
     * @throws IllegalArgumentException if types or shapes do not fit, a label is neither in the
     *     vocabulary nor ignored, or no label counts
     */
    @Override
    public NDArray evaluate(NDList labels, NDList predictions) {
        try (LabelledLogits tokens = LabelledLogits.of(labels, predictions)) {
            if (tokens.count() == 0) {
                throw LabelledLogits.nothingCounts(tokens.ids().length);
            }
            return mean(tokens); // ()
        }
    }

    private static NDArray mean(LabelledLogits tokens) {
        try (TensorScope scope = new TensorScope();
                NDArray count = Scalars.once(tokens.count())) {
            NDArray losses =
                    CrossEntropy.losses(tokens.logits(), tokens.labels(), Labels.IGNORED); // [N]
            return scope.keep(losses.sum().div(count)); // ()
        }
    }

    /**
     * Sums the loss over the tokens that count, without gradients.
     *
     * @throws IllegalArgumentException as {@link #evaluate}, but no label need count
     */
    static Tally measure(NDList labels, NDList predictions) {
        return GradientMode.off(
                () -> {
                    try (LabelledLogits tokens = LabelledLogits.of(labels, predictions)) {
                        return new Tally(sum(tokens), tokens.count());
                    }
                });
    }

    private static double sum(LabelledLogits tokens) {
        long rows = tokens.ids().length;
        long piece = Math.max(1, PIECE / tokens.logits().getShape().get(1));
        double sum = 0;
        for (long start = 0; start < rows; start += piece) {
            try (NDArray losses = losses(tokens, start, Math.min(piece, rows - start))) {
                // Added up on the host: float32 would lose digits over many tokens.
                for (float loss : losses.toFloatArray()) {
                    sum += loss;
                }
            }
        }
        return sum;
    }

    private static NDArray losses(LabelledLogits tokens, long start, long length) {
        try (TensorScope scope = new TensorScope()) {
            NDArray logits = Aten.narrow(tokens.logits(), 0, start, length);
            NDArray labels = Aten.narrow(tokens.labels(), 0, start, length);
            return scope.keep(CrossEntropy.losses(logits, labels, Labels.IGNORED)); // [length]
        }
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
        return (float) accumulators.get(key).mean();
    }
}
