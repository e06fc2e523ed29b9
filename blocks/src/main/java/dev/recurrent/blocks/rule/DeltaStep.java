package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.DeltaStepKernel;
import dev.recurrent.blocks.kernel.DeltaStepKernel.Gates;

/**
 * One token of {@link DeltaRule} by {@link DeltaStepKernel}, from what projections give: what
 * normalises queries and keys and makes gates of logits needs no kernels of its own.
 */
public final class DeltaStep {

    private DeltaStep() {}

    /**
     * Returns whether there is a kernel, and the state may be overwritten.
     *
     * @param state S, [B, HV, K, V]; null for zero
     * @param positions [B, T], compact
     * @param inputs all others; null stands for no tensor
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(NDArray state, Positions positions, NDArray... inputs) {
        return StepInPlace.fits(state, positions, inputs)
                && !positions.isPadded()
                && DeltaStepKernel.fits(state);
    }

    /**
     * Applies the rule to one token of every row.
     *
     * @param q [B, 1, H, K]
     * @param k [B, 1, H, K]
     * @param v [B, 1, HV, V], HV a multiple of H
     * @param gates β and g, or the logits that they are made of
     * @param normalize whether q and k are divided by their norms first
     * @param scale what outputs are multiplied by
     * @param state S before the token, float32 [B, HV, K, V], overwritten by S after it
     * @param positions [B, 1], without padding
     * @return the outputs and the state
     */
    public static DeltaRule.Output apply(
            NDArray q,
            NDArray k,
            NDArray v,
            Gates gates,
            boolean normalize,
            double scale,
            NDArray state,
            Positions positions) {
        NDArray values =
                DeltaStepKernel.apply(
                        Kernels.on(state.getDevice()).orElseThrow(),
                        q,
                        k,
                        v,
                        gates,
                        normalize,
                        scale,
                        state,
                        positions.hasResets() ? positions.array() : null);
        return new DeltaRule.Output(values, state);
    }
}
