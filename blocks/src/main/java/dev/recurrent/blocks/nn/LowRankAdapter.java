package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.PairList;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;

/**
 * A low-rank update of a {@link Projection}: s·B·A·x, with A [r, in] and B [out, r] (LoRA, arXiv
 * 2106.09685, section 4.1, where s is α/r). B starts at zero, so that a fresh one changes nothing.
 */
public final class LowRankAdapter extends SizedBlock {

    private final long inputs;
    private final long outputs;
    private final long rank;
    private final double scale;
    private final Parameter a;
    private final Parameter b;

    /**
     * Constructs an adapter without parameter values yet.
     *
     * @param inputs in, of the projection
     * @param outputs out, of the projection
     * @param rank r
     * @param scale s
     * @param initializer how A starts
     * @throws IllegalArgumentException if r is below 1 or s not a finite number
     */
    public LowRankAdapter(
            long inputs, long outputs, long rank, double scale, Initializer initializer) {
        if (rank < 1) {
            throw new IllegalArgumentException("An adapter's rank must be >= 1, not " + rank);
        }
        if (!Double.isFinite(scale)) {
            throw new IllegalArgumentException("An adapter's scale must be finite, not " + scale);
        }
        this.inputs = inputs;
        this.outputs = outputs;
        this.rank = rank;
        this.scale = scale;
        a = parameter("A", Parameter.Type.WEIGHT, initializer, rank, inputs);
        b = parameter("B", Parameter.Type.WEIGHT, Initializer.ZEROS, outputs, rank);
    }

    /** Returns A, [r, in]. */
    public Parameter a() {
        return a;
    }

    /** Returns B, [out, r]. */
    public Parameter b() {
        return b;
    }

    /** Returns r. */
    public long rank() {
        return rank;
    }

    /** Returns s. */
    public double scale() {
        return scale;
    }

    /**
     * Computes the update of a projection's result.
     *
     * @param store the parameters' store
     * @param x [..., in]
     * @param training whether gradients are wanted
     * @return [..., out]
     */
    public NDArray forward(ParameterStore store, NDArray x, boolean training) {
        try (TensorScope scope = new TensorScope()) {
            NDArray low = Aten.linear(x, value(store, a, x, training), null); // [..., r]
            NDArray scaled = low.mul(Scalars.of(scale));
            return scope.pass(Aten.linear(scaled, value(store, b, x, training), null));
        }
    }

    /** Adds s·B·A to a weight [out, in] in place, unseen by autograd. */
    void addTo(NDArray weight) {
        try (NDManager scratch = weight.getManager().newSubManager()) {
            NDArray low = Torch.call(scratch, "aten::detach", a.getArray());
            NDArray high = Torch.call(scratch, "aten::detach", b.getArray());
            NDArray update = high.matMul(low).muli(Scalars.of(scale)); // [out, in]
            Torch.call(scratch, "aten::detach", weight).addi(update);
        }
    }

    boolean fits(long projectionInputs, long projectionOutputs) {
        return inputs == projectionInputs && outputs == projectionOutputs;
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
