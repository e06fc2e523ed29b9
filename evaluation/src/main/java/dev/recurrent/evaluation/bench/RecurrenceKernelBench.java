package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.LinearRecurrence;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.function.Function;

/**
 * The linear recurrence's CUDA kernel beside its portable form and beside a copy that moves as many
 * bytes, which nothing that reads its inputs and writes its results once can beat by much.
 */
final class RecurrenceKernelBench {

    private static final int BATCH = 8;
    private static final int LENGTH = 4096;
    private static final int WIDTH = 2560;

    /** What a value takes: x and decay are read and h written, float32. */
    private static final long FORWARD_BYTES = 12;

    /** With the gradient of h, decay and h read again, and the gradients of both inputs. */
    private static final long BOTH_BYTES = 32;

    /** The same with inputs, and their gradients, in bfloat16. */
    private static final long FORWARD_NARROW_BYTES = 8;

    private static final long BOTH_NARROW_BYTES = 22;

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
            NDArray gradient = Randoms.normal(inputs, batch, length, WIDTH);
            // A model makes them once for all layers.
            Positions positions = Positions.range(inputs, batch, length, 0);
            Function<NDArray[], NDArray> rule =
                    given -> LinearRecurrence.apply(given[0], given[1], null, positions).values();
            NDArray[] wide = {x, decay};
            Measurement blocks = time("blocks", scope -> Kernels.without(() -> rule.apply(wide)));
            Measurement kernel = time("kernel", scope -> rule.apply(wide));
            bench.compare("linear recurrence forward: blocks / kernel", blocks, kernel);
            compare("forward", kernel, copy(inputs, FORWARD_BYTES));
            kernel = time("kernel, both passes", new TapedPass(rule, gradient, wide));
            compare("both passes", kernel, copy(inputs, BOTH_BYTES));

            NDArray[] narrow = {narrow(inputs, x), narrow(inputs, decay)};
            kernel = time("kernel, bfloat16", scope -> rule.apply(narrow));
            compare("forward, bfloat16", kernel, copy(inputs, FORWARD_NARROW_BYTES));
            kernel = time("kernel, both passes, bfloat16", new TapedPass(rule, gradient, narrow));
            compare("both passes, bfloat16", kernel, copy(inputs, BOTH_NARROW_BYTES));
        }
    }

    private void compare(String what, Measurement kernel, Measurement copy) {
        bench.compare("linear recurrence " + what + ": kernel / copy", kernel, copy);
    }

    private static NDArray narrow(NDManager manager, NDArray array) {
        return Torch.cast(manager, array, ScalarType.BFLOAT16);
    }

    /** A copy that reads and writes {@code bytes} for each element of x, both together. */
    private Measurement copy(NDManager inputs, long bytes) {
        long half = bytes / 2 * WIDTH / Float.BYTES;
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
        String work = "linear recurrence B " + batch + " T " + length + " E " + WIDTH;
        return bench.timeInARow(work, form, (long) batch * length, workload);
    }
}
