package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Launches of {@code short_convolution.cu} for the same inputs. */
final class ShortConvolutionLaunch {

    private static final KernelSource SOURCE =
            Sources.of("short_convolution.cu", "special_functions.cuh", "pointwise.cuh");

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private static final int LANES = 32;
    private static final int WARPS = 4;

    private final CudaDevice device;
    private final boolean silu;
    private final NDManager manager;
    private final NDArray x;
    private final NDArray weight;
    private final NDArray bias;
    private final NDArray state;
    private final NDArray positions;
    private final NDArray lengths;
    private final long rows;
    private final long tokens;
    private final long channels;
    private final int taps;

    /** Makes the inputs readable. The scope of the caller closes what that takes. */
    ShortConvolutionLaunch(
            CudaDevice device,
            boolean silu,
            NDArray x,
            NDArray weight,
            NDArray bias,
            NDArray state,
            NDArray positions,
            NDArray lengths) {
        this.device = device;
        this.silu = silu;
        manager = x.getManager();
        this.x = rowwise(x);
        NDArray[] parameters = Operand.readableAlike(manager, weight, bias);
        this.weight = parameters[0];
        this.bias = parameters[1];
        this.state =
                state == null
                        ? null
                        : Operand.dense(manager, Torch.cast(manager, state, Torch.typeOf(this.x)));
        this.positions = Operand.dense(manager, positions);
        this.lengths = positions == null ? null : Operand.dense(manager, lengths);
        rows = x.getShape().get(0);
        tokens = x.getShape().get(1);
        channels = x.getShape().get(2);
        taps = Math.toIntExact(weight.getShape().get(2));
    }

    /** What the source is specialised on. */
    private record Variant(
            String x,
            String weight,
            int taps,
            int vector,
            int items,
            int steps,
            int warps,
            boolean silu,
            boolean normalize,
            boolean positions) {

        Constants constants() {
            return Constants.none()
                    .with("X_TYPE", x)
                    .with("W_TYPE", weight)
                    .with("TAPS", taps)
                    .with("VECTOR", vector)
                    .with("ITEMS", items)
                    .with("STEPS", steps)
                    .with("WARPS", warps)
                    .with("SILU", silu ? 1 : 0)
                    .with("NORMALIZE", normalize ? 1 : 0)
                    .with("POSITIONS", positions ? 1 : 0);
        }
    }

    /** A readable tensor whose tokens lie one {@link #stride} apart, over all rows. */
    private NDArray rowwise(NDArray array) {
        return Operand.isKnown(Torch.typeOf(array)) && strideOf(array) > 0
                ? array
                : Operand.readable(manager, array);
    }

    /** Elements from a token to the next; 0 if there is no such number. */
    private static long strideOf(NDArray array) {
        Shape shape = array.getShape();
        long[] strides = TensorMemory.strides(array);
        if (strides[2] != 1 && shape.get(2) != 1) {
            return 0;
        }
        if (shape.get(1) == 1) {
            return shape.get(0) == 1 ? shape.get(2) : strides[0];
        }
        boolean even = shape.get(0) == 1 || strides[0] == shape.get(1) * strides[1];
        return even ? strides[1] : 0;
    }

    long stride() {
        return strideOf(x);
    }

    /** Returns x as it is read. */
    NDArray input() {
        return x;
    }

    /** A tensor of the type that x is read as, with undefined contents. */
    NDArray allocate(Shape shape) {
        return Torch.empty(manager, shape, Torch.typeOf(x), x.getDevice());
    }

    /** A gradient as kernels take it; zeros where there is none. */
    NDArray gradient(NDArray array, Shape shape) {
        return Operand.likeOrZeros(manager, array, shape, x);
    }

    /**
     * Convolves.
     *
     * @param slices of the channels
     * @param results one for the slices' parts each
     * @param newState takes the last inputs
     */
    void forward(List<ConvolutionSlice> slices, NDArray[] results, NDArray newState) {
        ConvolutionRuns runs = runs(slices);
        int run = runs.forward();
        int result = 0;
        for (ConvolutionSlice slice : slices) {
            int parts = Math.toIntExact(slice.span() / slice.partWidth());
            launch(
                    false,
                    slice,
                    run,
                    runs.blocks(run),
                    TensorMemory.address(results[result]),
                    TensorMemory.address(results[result + parts - 1]),
                    TensorMemory.address(newState));
            result += parts;
        }
    }

    /**
     * Differentiates.
     *
     * @param slices of the channels
     * @param dresults one for the slices' parts each
     * @param dnewState of the new state; null for none
     * @param dx takes the gradient of x
     * @param dstate takes that of the state; null for none
     * @return the gradients of the weights and, behind them, of the bias, float32 [C·W + C]
     */
    NDArray backward(
            List<ConvolutionSlice> slices,
            NDArray[] dresults,
            NDArray dnewState,
            NDArray dx,
            NDArray dstate) {
        ConvolutionRuns runs = runs(slices);
        int run = runs.backward();
        long columns = channels * (taps + 1);
        NDArray sums =
                Torch.empty(
                        manager,
                        new Shape(runs.blocks(run), columns),
                        ScalarType.FLOAT32,
                        x.getDevice());
        int result = 0;
        for (ConvolutionSlice slice : slices) {
            int parts = Math.toIntExact(slice.span() / slice.partWidth());
            launch(
                    true,
                    slice,
                    run,
                    runs.blocks(run),
                    TensorMemory.address(dresults[result]),
                    TensorMemory.address(dresults[result + parts - 1]),
                    Operand.address(dnewState),
                    TensorMemory.address(dx),
                    Operand.address(dstate),
                    TensorMemory.address(sums));
            result += parts;
        }
        return ColumnSums.of(device, sums, columns);
    }

    private void launch(
            boolean back, ConvolutionSlice slice, int run, long blocks, long... results) {
        long[] arguments = new long[14 + results.length];
        arguments[0] = TensorMemory.address(x);
        arguments[1] = TensorMemory.address(weight);
        arguments[2] = Operand.address(bias);
        arguments[3] = Operand.address(state);
        arguments[4] = Operand.address(positions);
        arguments[5] = Operand.address(lengths);
        System.arraycopy(results, 0, arguments, 6, results.length);
        int at = 6 + results.length;
        arguments[at] = tokens;
        arguments[at + 1] = channels;
        arguments[at + 2] = stride();
        arguments[at + 3] = slice.first();
        arguments[at + 4] = slice.span();
        arguments[at + 5] = slice.partWidth();
        arguments[at + 6] = slice.groupWidth();
        arguments[at + 7] = run;
        Variant variant = variant(slice, back);
        Constants constants = CONSTANTS.computeIfAbsent(variant, Variant::constants);
        int grid = Math.toIntExact(slice.groups() * blocks);
        device.kernel(SOURCE, constants, back ? "convolve_back" : "convolve")
                .launch(new Kernel.Size(grid, 1, LANES, warps()), arguments);
    }

    private Variant variant(ConvolutionSlice slice, boolean back) {
        return new Variant(
                Operand.type(x),
                Operand.type(weight),
                taps,
                slice.vector(),
                slice.items(),
                steps(slice, back),
                warps(),
                silu,
                slice.normalized(),
                positions != null);
    }

    /** Tokens read ahead, as many as registers hold: loads under way hide memory's latency. */
    private int steps(ConvolutionSlice slice, boolean back) {
        if (tokens == 1) {
            return 1;
        }
        if (back && slice.heavy() && positions != null) {
            return 2;
        }
        boolean light = !back && !slice.normalized() && Torch.typeOf(x) == ScalarType.BFLOAT16;
        return light ? 8 : 4;
    }

    private int warps() {
        return tokens == 1 ? 1 : WARPS;
    }

    private ConvolutionRuns runs(List<ConvolutionSlice> slices) {
        return new ConvolutionRuns(rows, tokens, slices, warps(), device.multiprocessors());
    }
}
