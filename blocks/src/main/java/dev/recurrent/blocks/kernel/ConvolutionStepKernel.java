package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * One token of the causal depthwise convolution over a few tokens, with SiLU if wanted, which
 * shifts the last inputs in place ({@code convolution_step.cu}): values are those of {@link
 * ShortConvolutionOperation}. Autograd records nothing of it.
 */
public final class ConvolutionStepKernel {

    private static final KernelSource SOURCE =
            Sources.of("convolution_step.cu", "special_functions.cuh", "pointwise.cuh");

    /** Of a block: few, so that channels spread over the device. */
    private static final int THREADS = 64;

    /** Channels of a thread. */
    private static final int MOST_CHANNELS = 2;

    /** What fills a load of 16 bytes. */
    private static final int MOST_WEIGHTS = 4;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private ConvolutionStepKernel() {}

    /** What the source is specialised on. */
    private record Variant(
            String x,
            String state,
            String weight,
            int taps,
            int channels,
            int filter,
            boolean silu) {

        Constants constants() {
            return Constants.none()
                    .with("X_TYPE", x)
                    .with("S_TYPE", state)
                    .with("W_TYPE", weight)
                    .with("TAPS", taps)
                    .with("VECTOR", channels)
                    .with("FILTER", filter)
                    .with("THREADS", THREADS)
                    .with("SILU", silu ? 1 : 0);
        }
    }

    /**
     * Returns whether the state can hold x, and be shifted where it lies.
     *
     * @param x [B, 1, C]
     * @param state [B, W−1, C]
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(NDArray x, NDArray state) {
        ScalarType type = Torch.typeOf(x);
        ScalarType held = Torch.typeOf(state);
        return Operand.isKnown(type)
                && (held == type || held == ScalarType.FLOAT32)
                && state.getShape().get(1) > 0
                && TensorMemory.isContiguous(state);
    }

    /**
     * Convolves one token of every row. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param x [B, 1, C], which may be a part of a wider tensor
     * @param weight [C, 1, W]; bfloat16 and float32 are read as they are
     * @param bias [C]; null for none
     * @param silu whether y·σ(y) is returned in y's place
     * @param state the inputs of before [B, W−1, C], overwritten by those of after
     * @param positions int64 [B, 1], where 0 sees no token of before and −1 leaves the state alone;
     *     null if all tokens see W−1 before them
     * @return y [B, 1, C], of x's type, unspecified at padding, in x's manager
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static NDArray apply(
            CudaDevice device,
            NDArray x,
            NDArray weight,
            NDArray bias,
            boolean silu,
            NDArray state,
            NDArray positions) {
        Operand.requireSameDevice(x, weight, bias, state, positions);
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = x.getManager();
            NDArray[] filter = Operand.readableAlike(manager, weight, bias);
            NDArray input = Operand.denseRows(manager, x);
            NDArray places = Operand.dense(manager, positions);
            Shape shape = x.getShape();
            long rows = shape.get(0);
            long width = shape.get(2);
            int taps = Math.toIntExact(weight.getShape().get(2));
            long stride = rows == 1 ? width : TensorMemory.strides(input)[0];
            NDArray y = Torch.empty(manager, shape, Torch.typeOf(x), x.getDevice());
            int channels =
                    stride % MOST_CHANNELS == 0
                            ? Operand.neighbours(MOST_CHANNELS, width, input, state, y)
                            : 1;
            Variant variant =
                    new Variant(
                            Operand.type(x),
                            Operand.type(state),
                            Operand.type(filter[0]),
                            taps,
                            channels,
                            Operand.neighbours(MOST_WEIGHTS, (long) taps * channels, filter[0]),
                            silu);
            long block = (long) THREADS * channels;
            device.kernel(
                            SOURCE,
                            CONSTANTS.computeIfAbsent(variant, Variant::constants),
                            "convolution_step")
                    .launchEarly(
                            new Kernel.Size(
                                    Math.toIntExact(rows),
                                    Math.toIntExact((width + block - 1) / block),
                                    THREADS,
                                    1),
                            TensorMemory.address(input),
                            TensorMemory.address(filter[0]),
                            Operand.address(filter[1]),
                            Operand.address(places),
                            TensorMemory.address(state),
                            TensorMemory.address(y),
                            stride,
                            width);
            return scope.pass(y);
        }
    }
}
