package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;

/**
 * Launches of a scan over time ({@code scan.cuh}): one where rows and channels fill the device;
 * else one that finds what each segment of time makes of a state, one that finds what enters each,
 * and then all segments at once.
 */
final class TimeScan {

    private static final int CARRY_THREADS = 256;

    private final CudaDevice device;
    private final KernelSource source;
    private final Constants constants;
    private final NDArray like;
    private final int rows;
    private final int tokens;
    private final int width;
    private final int lanes;
    private final long blocks;
    private final TimeCut cut;

    /**
     * Constructs a scan.
     *
     * @param device where it runs
     * @param source with entry points {@code scan}, {@code summarize}, {@code carry} and those of
     *     the way back
     * @param constants what the source is specialised on, the tile's included
     * @param tile what a block takes at a time
     * @param like [B, T, E], whose manager takes what the scan allocates
     */
    TimeScan(
            CudaDevice device,
            KernelSource source,
            Constants constants,
            ScanTile tile,
            NDArray like) {
        this.device = device;
        this.source = source;
        this.constants = constants;
        this.like = like;
        Shape shape = like.getShape();
        rows = Math.toIntExact(shape.get(0));
        tokens = Math.toIntExact(shape.get(1));
        width = Math.toIntExact(shape.get(2));
        lanes = tile.lanes();
        blocks = tile.blocks(rows, width);
        cut = TimeCut.of(tokens, tile, blocks, device.multiprocessors());
    }

    /** Returns how many segments a row has. */
    int segments() {
        return cut.segments();
    }

    /**
     * Runs it forwards in time.
     *
     * @param scan the arguments that {@code scan} begins with
     * @param summary the arguments that {@code summarize} begins with
     * @param entering the state that enters a row, float32 [B, E]; null for zero
     * @param leaving takes the state that leaves it
     */
    void forward(long[] scan, long[] summary, NDArray entering, NDArray leaving) {
        run(false, scan, summary, entering, leaving);
    }

    /** As {@link #forward}, from the last token to the first; null takes no state. */
    void backward(long[] scan, long[] summary, NDArray entering, NDArray leaving) {
        run(true, scan, summary, entering, leaving);
    }

    private void run(boolean back, long[] scan, long[] summary, NDArray entering, NDArray leaving) {
        String suffix = back ? "_back" : "";
        NDArray first =
                cut.segments() == 1
                        ? entering
                        : carry(back, "summarize" + suffix, summary, entering);
        launch("scan" + suffix, scan, first, leaving);
    }

    /** What enters every segment, [B, segments, E]. */
    private NDArray carry(boolean back, String summarize, long[] summary, NDArray state) {
        NDArray factors = allocate(rows, cut.segments(), width);
        NDArray terms = allocate(rows, cut.segments(), width);
        NDArray entering = allocate(rows, cut.segments(), width);
        launch(summarize, summary, factors, terms);
        long threads = (long) rows * width;
        int carriers = Math.toIntExact((threads + CARRY_THREADS - 1) / CARRY_THREADS);
        device.kernel(source, constants, "carry")
                .launch(
                        new Kernel.Size(carriers, 1, CARRY_THREADS, 1),
                        TensorMemory.address(factors),
                        TensorMemory.address(terms),
                        Operand.address(state),
                        TensorMemory.address(entering),
                        rows,
                        cut.segments(),
                        width,
                        back ? 1 : 0);
        return entering;
    }

    private void launch(String name, long[] first, NDArray from, NDArray to) {
        long[] arguments = Arrays.copyOf(first, first.length + 5);
        arguments[first.length] = Operand.address(from);
        arguments[first.length + 1] = Operand.address(to);
        arguments[first.length + 2] = tokens;
        arguments[first.length + 3] = width;
        arguments[first.length + 4] = cut.length();
        device.kernel(source, constants, name)
                .launch(
                        new Kernel.Size(
                                Math.toIntExact(blocks), cut.segments(), lanes, cut.teams()),
                        arguments);
    }

    /** A float32 tensor with undefined contents. */
    NDArray allocate(long... shape) {
        return Torch.empty(
                like.getManager(), new Shape(shape), ScalarType.FLOAT32, like.getDevice());
    }
}
