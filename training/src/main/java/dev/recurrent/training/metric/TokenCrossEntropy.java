package dev.recurrent.training.metric;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.loss.Loss;
import dev.recurrent.blocks.torch.Torch;

/** Mean NLL. */
public class TokenCrossEntropy extends Loss {
    public TokenCrossEntropy() {
        super("loss");
    }

    @Override
    public NDArray evaluate(NDList labels, NDList predictions) {
        NDArray logits = predictions.head();
        NDArray l = logits.reshape(-1, logits.getShape().getLastDimension());
        return Torch.call(
                l.getManager(),
                "aten::cross_entropy_loss",
                l,
                labels.head().flatten(),
                null,
                1,
                -100,
                0.0);
    }
}
