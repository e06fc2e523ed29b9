package dev.recurrent.blocks.cuda;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * h_t = a_t·h_{t−1} + x_t as one kernel that reads each input once and writes h once. Where B·E is
 * too small to fill the device, time is cut into segments: first what each makes of a state, then
 * what enters each, then all of them at once. Autograd records nothing of it.
 */
public final class LinearRecurrenceKernel {

    private static final KernelSource SOURCE = KernelSource.of("linear_recurrence.cu");

    private static final int LANES = 32;
    private static final int CARRY_THREADS = 256;

    /** Tokens a thread and tile: enough loads under way to hide memory's latency. */
    private static final int STEPS = 16;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private final CudaDevice device;
    private final NDArray x;
    private final NDArray decay;
    private final NDArray state;
    private final NDArray positions;
    private final int rows;
    private final int tokens;
    private final int width;
    private final Variant variant;
    private final TimeCut cut;

    private LinearRecurrenceKernel(
            CudaDevice device, NDArray x, NDArray decay, NDArray state, NDArray positions) {
        this.device = device;
        this.x = x;
        this.decay = decay;
        this.state = state;
        this.positions = positions;
        Shape shape = x.getShape();
        rows = Math.toIntExact(shape.get(0));
        tokens = Math.toIntExact(shape.get(1));
        width = Math.toIntExact(shape.get(2));
        variant = new Variant(Operand.type(x), Operand.type(decay), positions != null);
        cut = TimeCut.of(tokens, STEPS, blocks(), device.multiprocessors());
    }

    /**
     * What the kernel returns.
     *
     * @param values h, float32 [B, T, E]
     * @param state h after the last token, float32 [B, E]
     */
    public record Output(NDArray values, NDArray state) {}

    /** What the source is specialised on. */
    private record Variant(String x, String decay, boolean positions) {

        Constants constants() {
            return Constants.none()
                    .with("X_TYPE", x)
                    .with("A_TYPE", decay)
                    .with("STEPS", STEPS)
                    .with("MOST_WARPS", TimeCut.MOST_WARPS)
                    .with("POSITIONS", positions ? 1 : 0);
        }
    }

    /**
     * Runs the recurrence. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param x [B, T, E]; bfloat16 and float32 are read as they are, other types are converted
     * @param decay a [B, T, E], likewise
     * @param state what entered [B, E]; null for zero
     * @param positions int64 [B, T], where 0 counts the decay as 0 and −1 changes nothing; null if
     *     neither occurs
     * @return h, unspecified at padding, and the new state, in x's manager
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static Output apply(
            CudaDevice device, NDArray x, NDArray decay, NDArray state, NDArray positions) {
        Operand.requireSameDevice(x, decay, state, positions);
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = x.getManager();
            Output output =
                    new LinearRecurrenceKernel(
                                    device,
                                    Operand.readable(manager, x),
                                    Operand.readable(manager, decay),
                                    Operand.wide(manager, state),
                                    Operand.dense(manager, positions))
                            .run();
            scope.pass(output.values());
            scope.pass(output.state());
            return output;
        }
    }

    private Output run() {
        NDArray values = allocate(rows, tokens, width);
        NDArray last = allocate(rows, width);
        NDArray entering = cut.segments() == 1 ? state : entering();
        kernel("scan")
                .launch(
                        size(),
                        Torch.address(x),
                        Torch.address(decay),
                        Operand.address(positions),
                        Operand.address(entering),
                        Torch.address(values),
                        Torch.address(last),
                        tokens,
                        width,
                        cut.length());
        return new Output(values, last);
    }

    /** What enters every segment, [B, segments, E]. */
    private NDArray entering() {
        NDArray products = allocate(rows, cut.segments(), width);
        NDArray sums = allocate(rows, cut.segments(), width);
        NDArray entering = allocate(rows, cut.segments(), width);
        kernel("summarize")
                .launch(
                        size(),
                        Torch.address(x),
                        Torch.address(decay),
                        Operand.address(positions),
                        Torch.address(products),
                        Torch.address(sums),
                        tokens,
                        width,
                        cut.length());
        long threads = (long) rows * width;
        int blocks = Math.toIntExact((threads + CARRY_THREADS - 1) / CARRY_THREADS);
        kernel("carry")
                .launch(
                        new Kernel.Size(blocks, 1, CARRY_THREADS, 1),
                        Torch.address(products),
                        Torch.address(sums),
                        Operand.address(state),
                        Torch.address(entering),
                        rows,
                        cut.segments(),
                        width);
        return entering;
    }

    private Kernel kernel(String name) {
        return device.kernel(SOURCE, CONSTANTS.computeIfAbsent(variant, Variant::constants), name);
    }

    private Kernel.Size size() {
        return new Kernel.Size(Math.toIntExact(blocks()), cut.segments(), LANES, cut.warps());
    }

    /** Blocks for one segment of all rows. */
    private long blocks() {
        return (long) rows * ((width + LANES - 1) / LANES);
    }

    private NDArray allocate(long... shape) {
        return Torch.empty(x.getManager(), new Shape(shape), ScalarType.FLOAT32, x.getDevice());
    }
}
