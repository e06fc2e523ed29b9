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
            Intermediate hidden = hidden(store, x, training); // [B, T, hidden]
            return scope.keep(down.forward(store, hidden, training)); // [B, T, D]
        }
    }

    /**
     * Adds what the MLP makes of every token to something.
     *
     * @param store the parameters' store
     * @param addend [B, T, D]
     * @param x [B, T, D]
     * @param training whether gradients are wanted
     * @return addend + mlp(x), [B, T, D]
     */
    public NDArray addTo(ParameterStore store, NDArray addend, NDArray x, boolean training) {
        try (TensorScope scope = new TensorScope()) {
            Intermediate hidden = hidden(store, x, training); // [B, T, hidden]
            return scope.keep(down.addTo(store, addend, hidden, training)); // [B, T, D]
        }
    }

    private Intermediate hidden(ParameterStore store, NDArray x, boolean training) {
        return Projection.gated(store, activation, gate, up, Tape.join(x), training);
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
