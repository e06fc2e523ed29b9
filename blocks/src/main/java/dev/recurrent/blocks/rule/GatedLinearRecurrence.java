package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.GatedRecurrenceOperation;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;

/**
 * The recurrence of the RG-LRU with the arithmetic of its gates (arXiv 2402.19427, section 2.4;
 * {@code RGLRU} of google-deepmind/recurrentgemma), in fp32:
 *
 * <pre>
 * i = σ(y_i + b_i),  r = σ(y_r + b_r),  log a = −8 · r · softplus(Λ)
 * h_t = a_t · h_{t−1} + √(1 − a_t²) · (i_t · u_t)          at a document's start h_t = i_t · u_t
 * </pre>
 *
 * The derivative of √ is bounded by 1000, since it is infinite where a token forgets nothing.
 *
 * <p>On CUDA tensors {@link GatedRecurrenceOperation} does it in one pass over memory, and its
 * gradients in another.
 */
public final class GatedLinearRecurrence {

    /** c of the paper. */
    private static final double SHARPNESS = 8;

    private static final double LEAST_SLOPE_SQUARE = 1e-6;

    private GatedLinearRecurrence() {}

    /** Key of the mask of tokens that start a document. */
    private enum Key {
        STARTS
    }

    /**
     * What a gate is computed from.
     *
     * @param product y [blocks, B·T, E / blocks], as the product with block-diagonal weights comes
     * @param bias b, E elements in the order of the blocks
     */
    public record Gate(NDArray product, NDArray bias) {

        /** σ(y + b), [B, T, E] like u and of its type. */
        private NDArray value(NDArray u) {
            NDManager manager = u.getManager();
            NDArray typed = Torch.cast(manager, product, Torch.typeOf(u));
            NDArray rows = typed.transpose(1, 0, 2).reshape(u.getShape());
            NDArray b = Torch.cast(manager, bias, Torch.typeOf(u));
            // reshape would leave its result with the bias's manager.
            int last = bias.getShape().dimension() - 1;
            NDArray flat = Torch.call(manager, "aten::flatten.using_ints", b, 0, last);
            return Aten.sigmoid(rows.add(flat));
        }
    }

    /**
     * What the recurrence returns.
     *
     * @param values h [B, T, E], of u's type
     * @param state h at each row's last real token, float32 [B, E]
     */
    public record Output(NDArray values, NDArray state) {}

    /**
     * Runs the recurrence.
     *
     * @param u [B, T, E]. On a tape, gradients flow into u and into the gates' products apart, so
     *     that they must not be computed from one part of a graph; see {@link Tape#join}
     * @param input the input gate
     * @param recurrent the recurrent gate
     * @param lambda Λ [E]
     * @param state what the tokens before left [B, E]; null for zero
     * @param positions [B, T], compact
     * @return h, unspecified at padding, and the new state, in u's manager
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public static Output apply(
            NDArray u,
            Gate input,
            Gate recurrent,
            NDArray lambda,
            NDArray state,
            Positions positions) {
        check(u, input, positions);
        check(u, recurrent, positions);
        NDArray entering = positions.startsFresh() ? null : state;
        NDArray[] inputs = {
            u,
            input.product(),
            recurrent.product(),
            input.bias(),
            recurrent.bias(),
            lambda,
            entering
        };
        Optional<CudaDevice> device = Kernels.taking(u, inputs);
        return device.isPresent()
                ? fused(device.get(), inputs, positions)
                : portable(u, input, recurrent, lambda, entering, positions);
    }

    private static Output fused(CudaDevice device, NDArray[] inputs, Positions positions) {
        NDArray marks = positions.isPlain() ? null : positions.array();
        NDArray[] outputs =
                Tape.apply(
                        new GatedRecurrenceOperation(device, marks, positions.startsFresh()),
                        inputs);
        return new Output(Torch.cast(outputs[0], Torch.typeOf(inputs[0])), outputs[1]);
    }

    private static Output portable(
            NDArray u,
            Gate input,
            Gate recurrent,
            NDArray lambda,
            NDArray state,
            Positions positions) {
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = u.getManager();
            NDArray i = input.value(u);
            NDArray r = recurrent.value(u);
            NDArray logDecay = Torch.cast(r, ScalarType.FLOAT32).mul(rate(manager, lambda));
            NDArray gated = Torch.cast(i.mul(u), ScalarType.FLOAT32); // [B, T, E]
            NDArray scaled = gated.mul(complement(logDecay));
            if (positions.startsFresh() || positions.hasResets()) {
                // where.self(Tensor condition, Tensor self, Tensor other)
                scaled = Torch.call(manager, "aten::where.self", starts(positions), gated, scaled);
            }
            LinearRecurrence.Output output =
                    LinearRecurrence.apply(scaled, logDecay.exp(), state, positions);
            scope.pass(output.state());
            NDArray values = Torch.cast(output.values(), Torch.typeOf(u));
            return new Output(scope.pass(values), output.state());
        }
    }

    private static NDArray starts(Positions positions) {
        return positions.derive(Key.STARTS, () -> positions.array().eq(0L).expandDims(2));
    }

    /** log a at r = 1, float32 [E]. */
    private static NDArray rate(NDManager manager, NDArray lambda) {
        NDArray wide = Torch.cast(manager, lambda, ScalarType.FLOAT32);
        NDArray negative = Torch.call(manager, "aten::neg", wide);
        // log σ(−Λ) = −softplus(Λ)
        return Torch.call(manager, "aten::log_sigmoid", negative).mul(Scalars.of(SHARPNESS));
    }

    /** √(1 − a²), accurate also for a close to 1. */
    private static NDArray complement(NDArray logDecay) {
        NDManager manager = logDecay.getManager();
        NDArray twice = logDecay.mul(Scalars.of(2));
        NDArray square = Torch.call(manager, "aten::expm1", twice).neg(); // 1 − a²
        if (!GradientMode.records(square)) {
            return square.sqrt();
        }
        // Linear in the square with the bounded slope, shifted to the root's value.
        NDArray fixed = square.stopGradient();
        NDArray slope =
                Aten.rsqrt(fixed.mul(Scalars.of(4)).maximum(Scalars.of(LEAST_SLOPE_SQUARE)));
        NDArray shift = fixed.sqrt().sub(fixed.mul(slope));
        return square.mul(slope).add(shift);
    }

    private static void check(NDArray u, Gate gate, Positions positions) {
        Shape shape = u.getShape();
        Shape product = gate.product().getShape();
        if (shape.dimension() != 3
                || shape.get(0) != positions.batch()
                || shape.get(1) != positions.length()) {
            throw new IllegalArgumentException(
                    "u "
                            + shape
                            + " must be [B, T, E] with the positions' B = "
                            + positions.batch()
                            + ", T = "
                            + positions.length());
        }
        if (product.dimension() != 3
                || product.get(1) != shape.get(0) * shape.get(1)
                || product.get(0) * product.get(2) != shape.get(2)) {
            throw new IllegalArgumentException(
                    "A gate's product "
                            + product
                            + " must be [blocks, B·T, E / blocks] for u "
                            + shape);
        }
        if (!positions.isCompact()) {
            throw new IllegalArgumentException("Padding must stand at the ends of rows");
        }
    }
}
