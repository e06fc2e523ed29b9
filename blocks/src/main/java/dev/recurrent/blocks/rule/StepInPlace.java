package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.torch.GradientMode;

/** When one token of every row may overwrite the state before it. */
final class StepInPlace {

    private StepInPlace() {}

    /**
     * Returns whether kernels may, as far as all of them ask the same.
     *
     * @param state of the tokens before; null for none
     * @param positions [B, T], compact
     * @param inputs all others; null stands for no tensor
     */
    static boolean fits(NDArray state, Positions positions, NDArray... inputs) {
        return state != null
                && positions.length() == 1
                && !positions.startsFresh()
                && Kernels.on(state.getDevice()).isPresent()
                && !GradientMode.records(state)
                && !GradientMode.records(inputs);
    }
}
