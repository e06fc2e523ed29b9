package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.PairList;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.kernel.GatedRecurrenceStepKernel.Gate;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.GatedProduct;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.GatedLinearRecurrence;
import dev.recurrent.blocks.rule.GatedRecurrenceStep;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;

/**
 * The real-gated linear recurrent unit (arXiv 2402.19427, section 2.4; {@code RGLRU} of
 * google-deepmind/recurrentgemma):
 *
 * <pre>
 * r = σ(W_a u + b_a),  i = σ(W_x u + b_x)                  W block-diagonal
 * log a = −8 · r · softplus(Λ)
 * h_t = a_t · h_{t−1} + √(1 − a_t²) · (i_t · u_t)          at a document's start h_t = i_t · u_t
 * </pre>
 *
 * Where paper and code differ this follows the code, as the released weights do: a is a power of
 * σ(−Λ), not of σ(Λ), and σ(−Λ)² starts uniform on [0.81, 0.998].
 */
public final class RealGatedLru extends SizedBlock {

    private static final float LEAST_SQUARED_DECAY = 0.9f * 0.9f;
    private static final float GREATEST_SQUARED_DECAY = 0.999f * 0.999f;

    private final long width;
    private final long blocks;
    private final Parameter recurrent;
    private final Parameter inputWeight;
    private final Parameter inputBias;
    private final Parameter recurrentWeight;
    private final Parameter recurrentBias;

    /**
     * Constructs the unit.
     *
     * @param width E
     * @param blocks number of diagonal blocks of the gates' weights, a divisor of E
     * @param initialization how the gates' weights start
     */
    public RealGatedLru(long width, long blocks, Initialization initialization) {
        this.width = width;
        this.blocks = blocks;
        long size = width / blocks;
        recurrent =
                parameter("recurrent_param", Parameter.Type.OTHER, RealGatedLru::drawDecays, width);
        Initializer initializer = initialization.projection(size);
        inputWeight = weight("input_gate_weight", initializer, size);
        inputBias = bias("input_gate_bias", size);
        recurrentWeight = weight("recurrent_gate_weight", initializer, size);
        recurrentBias = bias("recurrent_gate_bias", size);
    }

    /** Weights are of type OTHER, since nothing of this unit is decayed in training. */
    private Parameter weight(String name, Initializer initializer, long size) {
        return parameter(name, Parameter.Type.OTHER, initializer, blocks, size, size);
    }

    private Parameter bias(String name, long size) {
        return parameter(name, Parameter.Type.BIAS, Initializer.ZEROS, blocks, size);
    }

    /** Λ = log(1/a − 1) with a² uniform. */
    private static NDArray drawDecays(NDManager manager, Shape shape, DataType type) {
        NDArray squares =
                manager.randomUniform(
                        LEAST_SQUARED_DECAY, GREATEST_SQUARED_DECAY, shape, DataType.FLOAT32);
        return Aten.rsqrt(squares).sub(Scalars.of(1)).log().toType(type, false);
    }

    /**
     * Runs the unit.
     *
     * @param store the parameters' store
     * @param u [B, T, E]
     * @param memory what the tokens before left [B, E]; null for zero
     * @param positions [B, T], compact
     * @param training whether gradients are wanted
     * @return h, of u's type, and the new memory, float32, in u's manager
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public GatedLinearRecurrence.Output forward(
            ParameterStore store,
            NDArray u,
            NDArray memory,
            Positions positions,
            boolean training) {
        try (TensorScope scope = new TensorScope()) {
            // Gradients come to it from the gates and from the recurrence.
            NDArray joined = Tape.join(u);
            GatedLinearRecurrence.Output output =
                    GatedLinearRecurrence.apply(
                            joined,
                            gate(store, joined, inputWeight, inputBias, training),
                            gate(store, joined, recurrentWeight, recurrentBias, training),
                            value(store, recurrent, u, training),
                            memory,
                            positions);
            scope.pass(output.values());
            scope.pass(output.state());
            return output;
        }
    }

    /**
     * Runs the unit on one token of every row, without gradients, from a memory that is no longer
     * needed, and gates its output. Where there is a kernel it does all of it and writes the new
     * memory over the old.
     *
     * @param store the parameters' store
     * @param u [B, 1, E]
     * @param gate g [B, 1, E]
     * @param memory what the tokens before left [B, E]
     * @param positions [B, 1]
     * @return gelu(g)·h, of the gate's type, unspecified at padding, in u's manager; and the new
     *     memory, float32, which may be {@code memory} itself
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public GatedLinearRecurrence.Output step(
            ParameterStore store, NDArray u, NDArray gate, NDArray memory, Positions positions) {
        Gate input = stepGate(store, u, inputWeight, inputBias);
        Gate forget = stepGate(store, u, recurrentWeight, recurrentBias);
        NDArray lambda = value(store, recurrent, u, false);
        if (GatedRecurrenceStep.fits(
                u,
                memory,
                positions,
                width / blocks,
                gate,
                lambda,
                input.weight(),
                input.bias(),
                forget.weight(),
                forget.bias())) {
            return GatedRecurrenceStep.apply(u, input, forget, lambda, gate, memory, positions);
        }
        GatedLinearRecurrence.Output h = forward(store, u, memory, positions, false);
        return new GatedLinearRecurrence.Output(
                GatedProduct.apply(Activation.GELU_TANH, gate, h.values()), h.state());
    }

    private static Gate stepGate(
            ParameterStore store, NDArray u, Parameter weight, Parameter bias) {
        return new Gate(value(store, weight, u, false), value(store, bias, u, false));
    }

    /** [B, T, E] → [blocks, B·T, E / blocks]. */
    private NDArray split(NDArray u) {
        return u.reshape(-1, blocks, width / blocks).transpose(1, 0, 2);
    }

    private GatedLinearRecurrence.Gate gate(
            ParameterStore store, NDArray u, Parameter weight, Parameter bias, boolean training) {
        NDArray product = Aten.product(split(u), value(store, weight, u, training));
        return new GatedLinearRecurrence.Gate(product, value(store, bias, u, training));
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            PairList<String, Object> params) {
        NDArray u = single(inputs);
        Shape shape = u.getShape();
        Positions positions = Positions.range(u.getManager(), shape.get(0), shape.get(1), 0);
        return new NDList(forward(store, u, null, positions, training).values());
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return inputShapes;
    }
}
