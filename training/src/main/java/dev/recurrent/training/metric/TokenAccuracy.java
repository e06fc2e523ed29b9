package dev.recurrent.training.metric;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.Torch;

/** The share of tokens that count whose label has the greatest logit. */
public class TokenAccuracy extends TokenEvaluator {

    /** Constructs the evaluator. */
    public TokenAccuracy() {
        this("TokenAccuracy");
    }

    TokenAccuracy(String name) {
        super(name);
    }

    @Override
    final Tally measure(NDList labels, NDList predictions) {
        return GradientMode.off(
                () -> {
                    try (LabelledLogits tokens = LabelledLogits.of(labels, predictions);
                            NDArray guesses = greatest(tokens.logits())) {
                        return compare(guesses.toLongArray(), tokens);
                    }
                });
    }

    private static NDArray greatest(NDArray logits) {
        // argmax(Tensor self, int? dim, bool keepdim)
        return Torch.call(logits.getManager(), "aten::argmax", logits, Torch.some(1), false); // [N]
    }

    private static Tally compare(long[] guesses, LabelledLogits tokens) {
        long[] ids = tokens.ids();
        long right = 0;
        for (int i = 0; i < ids.length; i++) {
            // An ignored label is no id, so no guess equals it.
            right += guesses[i] == ids[i] ? 1 : 0;
        }
        return new Tally(right, tokens.count());
    }

    @Override
    final double value(double mean) {
        return mean;
    }
}
