package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.torch.TensorScope;

/**
 * The gated MLP: down(act(gate x) · up x). SwiGLU and GeGLU are its two forms (arXiv 2002.05202).
 */
public final class GatedMlp extends SizedBlock {

    private final Activation activation;
    private final Projection gate;
    private final Projection up;
    private final Projection down;

    /**
     * Constructs an MLP.
     *
     * @param width D
     * @param config its inner width and activation
     * @param initialization how its weights start
     */
    public GatedMlp(long width, MlpConfig config, Initialization initialization) {
        long hidden = config.hidden();
        activation = config.activation();
        gate =
                addChildBlock(
                        "gate_proj",
                        new Projection(
                                width, hidden, config.bias(), initialization.projection(width)));
        up =
                addChildBlock(
                        "up_proj",
                        new Projection(
                                width, hidden, config.bias(), initialization.projection(width)));
        down =
                addChildBlock(
                        "down_proj",
                        new Projection(
                                hidden, width, config.bias(), initialization.output(hidden)));
    }

    /**
     * Applies the MLP to every token.
     *
     * @param store the parameters' store
     * @param x [B, T, D]
     * @param training whether gradients are wanted
     * @return [B, T, D]
     */
    public NDArray forward(ParameterStore store, NDArray x, boolean training) {
        try (TensorScope scope = new TensorScope()) {
            NDArray input = Tape.join(x);
            NDArray gates = gate.forward(store, input, training); // [B, T, hidden]
            NDArray values = up.forward(store, input, training); // [B, T, hidden]
            Intermediate hidden = GatedProduct.of(activation, gates, values); // [B, T, hidden]
            return scope.keep(down.forward(store, hidden, training)); // [B, T, D]
        }
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            PairList<String, Object> params) {
        return new NDList(forward(store, single(inputs), training));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return inputShapes;
    }
}
