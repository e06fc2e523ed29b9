package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;

/**
 * A step of Adam with decoupled weight decay (arXiv 1711.05101, algorithm 2) as one kernel, which
 * reads a parameter, its gradient and both moments once and writes all but the gradient in place.
 */
public final class AdamWKernel {

    private static final KernelSource SOURCE = Sources.of("adamw.cu");
    private static final int THREADS = 256;
    private static final Constants CONSTANTS = Constants.none().with("THREADS", THREADS);

    private AdamWKernel() {}

    /**
     * The numbers of a step. With g the scaled gradient: m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,
     * θ ← kept·θ − rate·m / (√v + ε).
     *
     * @param gradientScale what the gradient is multiplied by
     * @param beta1 β₁
     * @param beta2 β₂
     * @param epsilon ε, corrected for the bias of v
     * @param rate the learning rate, corrected for the bias of m and v
     * @param kept what decay leaves of θ
     */
    public record Step(
            double gradientScale,
            double beta1,
            double beta2,
            double epsilon,
            double rate,
            double kept) {}

    /** Returns whether tensors can be updated in place: they are float32 and dense. */
    public static boolean fits(NDArray... tensors) {
        for (NDArray tensor : tensors) {
            if (Torch.typeOf(tensor) != ScalarType.FLOAT32 || !TensorMemory.isContiguous(tensor)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Makes a step. Autograd must not record.
     *
     * @param device where the tensors lie
     * @param parameter θ, changed
     * @param gradient of θ's size
     * @param mean m, of θ's size, changed
     * @param square v, of θ's size, changed
     * @param step the numbers
     * @throws IllegalArgumentException if sizes differ, tensors lie elsewhere or do not {@link
     *     #fits fit}
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static void apply(
            CudaDevice device,
            NDArray parameter,
            NDArray gradient,
            NDArray mean,
            NDArray square,
            Step step) {
        Operand.requireSameDevice(parameter, gradient, mean, square);
        long size = parameter.size();
        if (!fits(parameter, gradient, mean, square)
                || gradient.size() != size
                || mean.size() != size
                || square.size() != size) {
            throw new IllegalArgumentException(
                    "A step needs four dense float32 tensors of one size, not "
                            + parameter.getShape()
                            + ", "
                            + gradient.getShape()
                            + ", "
                            + mean.getShape()
                            + " and "
                            + square.getShape());
        }
        int blocks = Math.toIntExact((size + THREADS - 1) / THREADS);
        device.kernel(SOURCE, CONSTANTS, "adamw")
                .launch(
                        new Kernel.Size(blocks, 1, THREADS, 1),
                        TensorMemory.address(parameter),
                        TensorMemory.address(gradient),
                        TensorMemory.address(mean),
                        TensorMemory.address(square),
                        size,
                        bits(step.gradientScale()),
                        bits(step.beta1()),
                        bits(1 - step.beta1()),
                        bits(step.beta2()),
                        bits(1 - step.beta2()),
                        bits(step.epsilon()),
                        bits(step.rate()),
                        bits(step.kept()));
    }

    private static long bits(double value) {
        return Float.floatToRawIntBits((float) value);
    }
}
