package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.Scalars;

/**
 * The rules as loops over time, token by token as the papers define them: what chunks must beat.
 */
final class Loops {

    private Loops() {}

    /**
     * The gated delta rule and its special cases.
     *
     * @param q [B, T, H, K]
     * @param k [B, T, H, K]
     * @param v [B, T, H, V]
     * @param beta [B, T, H]; null for no correction
     * @param logDecay [B, T, H]; null for none
     * @param scale of the outputs
     * @return [B, H, T, V]
     */
    static NDArray delta(
            NDArray q, NDArray k, NDArray v, NDArray beta, NDArray logDecay, double scale) {
        int length = Math.toIntExact(q.getShape().get(1));
        NDList queries = steps(q.mul(Scalars.of(scale))); // T of [B, H, 1, K]
        NDList keys = steps(k);
        NDList values = steps(v);
        NDList betas = beta == null ? null : steps(beta.expandDims(3)); // T of [B, H, 1, 1]
        NDList kept = logDecay == null ? null : steps(logDecay.exp().expandDims(3));
        Shape shape = keys.get(0).getShape();
        NDArray memory =
                k.getManager()
                        .zeros(
                                new Shape(
                                        shape.get(0),
                                        shape.get(1),
                                        shape.get(3),
                                        v.getShape().get(3))); // [B, H, K, V]
        NDList outputs = new NDList(length);
        for (int t = 0; t < length; t++) {
            NDArray update = values.get(t); // [B, H, 1, V]
            if (kept != null) {
                memory = memory.mul(kept.get(t));
            }
            if (betas != null) {
                update = update.sub(keys.get(t).matMul(memory)).mul(betas.get(t));
            }
            memory = memory.add(keys.get(t).swapAxes(2, 3).mul(update));
            outputs.add(queries.get(t).matMul(memory));
        }
        return Aten.concat(outputs, 2);
    }

    /**
     * The linear recurrence h = a·h + x.
     *
     * @param x [B, T, E]
     * @param decay a [B, T, E]
     * @return h [B, T, E]
     */
    static NDArray recurrence(NDArray x, NDArray decay) {
        long length = x.getShape().get(1);
        NDList inputs = x.split(length, 1); // T of [B, 1, E]
        NDList decays = decay.split(length, 1);
        NDList outputs = new NDList(inputs.get(0));
        for (int t = 1; t < length; t++) {
            outputs.add(decays.get(t).mul(outputs.get(t - 1)).add(inputs.get(t)));
        }
        return Aten.concat(outputs, 1);
    }

    /** Cuts [B, T, H, n] into T of [B, H, 1, n]. */
    private static NDList steps(NDArray array) {
        return array.swapAxes(1, 2).split(array.getShape().get(1), 2);
    }
}
