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
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.LinearRecurrence;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;

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

    /** c of the paper. */
    private static final double SHARPNESS = 8;

    private static final float LEAST_SQUARED_DECAY = 0.9f * 0.9f;
    private static final float GREATEST_SQUARED_DECAY = 0.999f * 0.999f;

    /** Bounds the derivative of √ by 1000, since it is infinite where a token forgets nothing. */
    private static final double LEAST_SLOPE_SQUARE = 1e-6;

    private final long width;
    private final long blocks;
    private final Parameter recurrent;
    private final Parameter inputWeight;
    private final Parameter inputBias;
    private final Parameter recurrentWeight;
    private final Parameter recurrentBias;

    /** Key of the mask of tokens that start a document. */
    private enum Key {
        STARTS
    }

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
     * @return h and the new memory, float32, in u's manager
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public LinearRecurrence.Output forward(
            ParameterStore store,
            NDArray u,
            NDArray memory,
            Positions positions,
            boolean training) {
        try (TensorScope scope = new TensorScope()) {
            NDArray parts = split(u); // [blocks, B·T, E / blocks]
            NDArray i = gate(store, parts, inputWeight, inputBias, u, training);
            NDArray r = gate(store, parts, recurrentWeight, recurrentBias, u, training);
            NDArray logDecay = Torch.cast(r, ScalarType.FLOAT32).mul(rate(store, u, training));
            NDArray gated = Torch.cast(i.mul(u), ScalarType.FLOAT32); // [B, T, E]
            NDArray scaled = gated.mul(complement(logDecay, training));
            if (positions.startsFresh() || positions.hasResets()) {
                // where.self(Tensor condition, Tensor self, Tensor other)
                NDManager manager = u.getManager();
                scaled = Torch.call(manager, "aten::where.self", starts(positions), gated, scaled);
            }
            LinearRecurrence.Output output =
                    LinearRecurrence.apply(scaled, logDecay.exp(), memory, positions);
            scope.pass(output.values());
            scope.pass(output.state());
            return output;
        }
    }

    private static NDArray starts(Positions positions) {
        return positions.derive(Key.STARTS, () -> positions.array().eq(0L).expandDims(2));
    }

    /** [B, T, E] → [blocks, B·T, E / blocks]. */
    private NDArray split(NDArray u) {
        return u.reshape(-1, blocks, width / blocks).transpose(1, 0, 2);
    }

    private NDArray gate(
            ParameterStore store,
            NDArray parts,
            Parameter weight,
            Parameter bias,
            NDArray u,
            boolean training) {
        NDArray product = parts.matMul(value(store, weight, u, training));
        NDArray flat = product.transpose(1, 0, 2).reshape(u.getShape()); // [B, T, E]
        // flatten.using_ints(Tensor self, int start_dim, int end_dim)
        NDArray b = value(store, bias, u, training);
        return Aten.sigmoid(
                flat.add(Torch.call(u.getManager(), "aten::flatten.using_ints", b, 0, 1)));
    }

    /** log a at r = 1, float32 [E]. */
    private NDArray rate(ParameterStore store, NDArray u, boolean training) {
        NDArray lambda = value(store, recurrent, u, training);
        NDArray wide = Torch.cast(lambda, ScalarType.FLOAT32);
        NDArray negative = Torch.call(u.getManager(), "aten::neg", wide);
        // log σ(−Λ) = −softplus(Λ)
        return Torch.call(u.getManager(), "aten::log_sigmoid", negative).mul(Scalars.of(SHARPNESS));
    }

    /** √(1 − a²), accurate also for a close to 1. */
    private static NDArray complement(NDArray logDecay, boolean training) {
        NDManager manager = logDecay.getManager();
        NDArray twice = logDecay.mul(Scalars.of(2));
        NDArray square = Torch.call(manager, "aten::expm1", twice).neg(); // 1 − a²
        if (!training) {
            return square.sqrt();
        }
        // Linear in the square with the bounded slope, shifted to the root's value.
        NDArray fixed = square.stopGradient();
        NDArray slope =
                Aten.rsqrt(fixed.mul(Scalars.of(4)).maximum(Scalars.of(LEAST_SLOPE_SQUARE)));
        NDArray shift = fixed.sqrt().sub(fixed.mul(slope));
        return square.mul(slope).add(shift);
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
