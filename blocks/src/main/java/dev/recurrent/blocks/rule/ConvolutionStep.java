package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.ConvolutionStepKernel;

/** One token of {@link ShortConvolution} by {@link ConvolutionStepKernel}. */
final class ConvolutionStep {

    private ConvolutionStep() {}

    /** Returns whether there is a kernel, and the state may be overwritten. */
    static boolean fits(
            NDArray x, NDArray weight, NDArray bias, NDArray state, Positions positions) {
        return StepInPlace.fits(state, positions, x, weight, bias)
                && ConvolutionStepKernel.fits(x, state);
    }

    /** Convolves, and overwrites the state. */
    static ShortConvolution.Output apply(
            NDArray x,
            NDArray weight,
            NDArray bias,
            NDArray state,
            Positions positions,
            boolean silu) {
        NDArray values =
                ConvolutionStepKernel.apply(
                        Kernels.on(x.getDevice()).orElseThrow(),
                        x,
                        weight,
                        bias,
                        silu,
                        state,
                        positions.isPlain() ? null : positions.array());
        return new ShortConvolution.Output(values, state);
    }
}
