package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.GatedRecurrenceStepKernel;
import dev.recurrent.blocks.kernel.GatedRecurrenceStepKernel.Gate;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.TensorScope;

/**
 * One token of {@link GatedLinearRecurrence} by {@link GatedRecurrenceStepKernel}, with the
 * products that its gates are made of and what gates its output.
 */
public final class GatedRecurrenceStep {

    private GatedRecurrenceStep() {}

    /**
     * Returns whether there is a kernel, and the state may be overwritten.
     *
     * @param u [B, 1, E]
     * @param state h, [B, E]; null for zero
     * @param positions [B, T], compact
     * @param gateWidth E / blocks
     * @param inputs all others; null stands for no tensor
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(
            NDArray u, NDArray state, Positions positions, long gateWidth, NDArray... inputs) {
        return StepInPlace.fits(state, positions, inputs)
                && !GradientMode.records(u)
                && GatedRecurrenceStepKernel.fits(u, gateWidth, Aten.productType(u), state);
    }

    /**
     * Runs one token of every row.
     *
     * @param u [B, 1, E]
     * @param input the input gate
     * @param recurrent the recurrent gate
     * @param lambda Λ [E]
     * @param outputGate g [B, 1, E]; null for none
     * @param state h before the token, float32 [B, E], overwritten by h after it
     * @param positions [B, 1]
     * @return gelu(g)·h of g's type, or h of u's type, [B, 1, E], unspecified at padding; and the
     *     state
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public static GatedLinearRecurrence.Output apply(
            NDArray u,
            Gate input,
            Gate recurrent,
            NDArray lambda,
            NDArray outputGate,
            NDArray state,
            Positions positions) {
        check(u, input.weight(), outputGate, state, positions);
        check(u, recurrent.weight(), outputGate, state, positions);
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = u.getManager();
            NDArray values =
                    GatedRecurrenceStepKernel.apply(
                            Kernels.on(u.getDevice()).orElseThrow(),
                            u,
                            converted(manager, u, input),
                            converted(manager, u, recurrent),
                            lambda,
                            outputGate,
                            state,
                            positions.isPlain() ? null : positions.array());
            return new GatedLinearRecurrence.Output(scope.pass(values), state);
        }
    }

    private static Gate converted(NDManager manager, NDArray u, Gate gate) {
        return new Gate(Aten.productWeight(manager, u, gate.weight()), gate.bias());
    }

    private static void check(
            NDArray u, NDArray weight, NDArray outputGate, NDArray state, Positions positions) {
        Shape shape = u.getShape();
        Shape sizes = weight.getShape();
        if (shape.dimension() != 3
                || shape.get(0) != positions.batch()
                || shape.get(1) != 1
                || positions.length() != 1) {
            throw new IllegalArgumentException(
                    "u "
                            + shape
                            + " must be [B, 1, E] with the positions' B = "
                            + positions.batch());
        }
        long width = shape.get(2);
        if (sizes.dimension() != 3
                || sizes.get(1) != sizes.get(2)
                || sizes.get(0) * sizes.get(1) != width) {
            throw new IllegalArgumentException(
                    "A gate's weight "
                            + sizes
                            + " must be [blocks, E / blocks, E / blocks] for u "
                            + shape);
        }
        if (!state.getShape().equals(new Shape(shape.get(0), width))
                || (outputGate != null && !outputGate.getShape().equals(shape))) {
            throw new IllegalArgumentException(
                    "The state "
                            + state.getShape()
                            + " must be [B, E] and an output gate like u "
                            + shape);
        }
    }
}
