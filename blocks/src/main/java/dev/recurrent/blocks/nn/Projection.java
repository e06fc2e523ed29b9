package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.PairList;
import dev.recurrent.blocks.torch.Aten;

/** A linear map of known sizes: y = x·Wᵀ + b, with W [out, in] as PyTorch stores it. */
public final class Projection extends SizedBlock {

    private final long outputs;
    private final Parameter weight;
    private final Parameter bias;

    /**
     * Constructs a projection.
     *
     * @param inputs in, the last dimension of x
     * @param outputs out, the last dimension of y
     * @param hasBias whether there is a b [out], starting at zero
     * @param initializer how W starts
     */
    public Projection(long inputs, long outputs, boolean hasBias, Initializer initializer) {
        this.outputs = outputs;
        weight = parameter("weight", Parameter.Type.WEIGHT, initializer, outputs, inputs);
        bias = hasBias ? parameter("bias", Parameter.Type.BIAS, Initializer.ZEROS, outputs) : null;
    }

    /**
     * Applies the projection.
     *
     * @param store the parameters' store
     * @param x [..., in]
     * @param training whether gradients are wanted
     * @return [..., out]
     */
    public NDArray forward(ParameterStore store, NDArray x, boolean training) {
        NDArray w = value(store, weight, x, training);
        NDArray b = bias == null ? null : value(store, bias, x, training);
        return Aten.linear(x, w, b); // [..., out]
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
        Shape input = inputShapes[0];
        return new Shape[] {input.slice(0, input.dimension() - 1).add(outputs)};
    }
}
