package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.LinearRecurrence;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;

/**
 * The linear recurrence's CUDA kernel beside its portable form and beside a copy that moves as many
 * bytes, which nothing that reads its inputs and writes its results once can beat by much.
 */
final class RecurrenceKernelBench {

    private static final int BATCH = 8;
    private static final int LENGTH = 4096;
    private static final int WIDTH = 2560;
    private static final long BYTES = Float.BYTES;

    private final Bench bench;
    private final int batch;
    private final int length;

    RecurrenceKernelBench(Bench bench, BenchShape shape) {
        this.bench = bench;
        batch = shape.batchOr(BATCH);
        length = shape.lengthOr(LENGTH);
    }

    void run() {
        try (NDManager inputs = bench.manager().newSubManager()) {
            NDArray x = Randoms.normal(inputs, batch, length, WIDTH);
            NDArray decay = Randoms.uniform(inputs, 0.5, 1, batch, length, WIDTH);
            Workload recurrence = recurrence(x, decay);
            Measurement blocks =
                    time("blocks", scope -> Kernels.without(() -> recurrence.run(scope)));
            Measurement kernel = time("kernel", recurrence);
            bench.compare("linear recurrence forward: blocks / kernel", blocks, kernel);
            bench.compare(
                    "linear recurrence forward: kernel / copy", kernel, copy(inputs, 3 * BYTES));
            NDArray narrowX = Torch.cast(inputs, x, ScalarType.BFLOAT16);
            NDArray narrowDecay = Torch.cast(inputs, decay, ScalarType.BFLOAT16);
            kernel = time("kernel, bfloat16", recurrence(narrowX, narrowDecay));
            bench.compare(
                    "linear recurrence forward, bfloat16: kernel / copy",
                    kernel,
                    copy(inputs, 2 * BYTES));
        }
    }

    private Workload recurrence(NDArray x, NDArray decay) {
        return scope -> {
            Positions positions = Positions.range(scope, batch, length, 0);
            return LinearRecurrence.apply(x, decay, null, positions).values();
        };
    }

    /** A copy that reads and writes {@code bytes} for each element of x, both together. */
    private Measurement copy(NDManager inputs, long bytes) {
        long half = bytes / 2 * WIDTH / BYTES;
        NDArray from = Randoms.normal(inputs, batch, length, half);
        NDArray to = Randoms.normal(inputs, batch, length, half);
        return time(
                "copy of " + bytes + " bytes a value",
                scope -> {
                    Torch.copyInto(to, from);
                    return to;
                });
    }

    private Measurement time(String form, Workload workload) {
        String work = "linear recurrence B " + batch + " T " + length + " E " + WIDTH + " forward";
        return bench.time(work, form, (long) batch * length, workload);
    }
}
