package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.function.Function;

/**
 * The delta rule's CUDA kernels in bfloat16 beside their portable form, at sizes that fill a
 * device: many sequences, wide states, and one long sequence.
 *
 * @param batch B
 * @param length T
 * @param heads H
 * @param keyDim K
 * @param valueDim V
 */
record DeltaKernelBench(int batch, int length, int heads, int keyDim, int valueDim) {

    private static final DeltaKernelBench[] SIZES = {
        new DeltaKernelBench(8, 4096, 16, 128, 128),
        new DeltaKernelBench(8, 4096, 6, 256, 512),
        new DeltaKernelBench(1, 32768, 16, 128, 128)
    };

    /** Measures on a device that has kernels. */
    static void run(Bench bench, BenchShape shape, String name, boolean decays) {
        if (Kernels.on(bench.manager().getDevice()).isPresent()) {
            for (DeltaKernelBench size : SIZES) {
                size.of(shape).run(bench, name, decays);
            }
        }
    }

    private DeltaKernelBench of(BenchShape shape) {
        return new DeltaKernelBench(
                shape.batchOr(batch), shape.lengthOr(length), heads, keyDim, valueDim);
    }

    private void run(Bench bench, String name, boolean decays) {
        try (NDManager inputs = bench.manager().newSubManager()) {
            NDArray q = narrow(inputs, Randoms.normal(inputs, batch, length, heads, keyDim));
            NDArray keys = Randoms.normal(inputs, batch, length, heads, keyDim);
            NDArray k = narrow(inputs, keys.div(keys.mul(keys).sum(new int[] {-1}, true).sqrt()));
            NDArray v = narrow(inputs, Randoms.normal(inputs, batch, length, heads, valueDim));
            NDArray beta = narrow(inputs, Randoms.uniform(inputs, 0, 1, batch, length, heads));
            NDArray decay = decays ? Randoms.uniform(inputs, -0.1, 0, batch, length, heads) : null;
            double scale = 1 / Math.sqrt(keyDim);
            // A model makes them once for all layers.
            Positions positions = Positions.range(inputs, batch, length, 0);
            Function<NDArray[], NDArray> rule =
                    x ->
                            DeltaRule.apply(x[0], x[1], x[2], x[3], x[4], scale, null, positions)
                                    .values();
            NDArray[] all = {q, k, v, beta, decay};
            Workload forward = scope -> rule.apply(all);
            String work = name + describe() + " bfloat16 forward";
            long tokens = (long) batch * length;
            Measurement kernels = bench.timeInARow(work, "kernels", tokens, forward);
            NDArray gradient =
                    narrow(inputs, Randoms.normal(inputs, batch, length, heads, valueDim));
            bench.timeInARow(
                    name + describe() + " bfloat16 forward + backward",
                    "kernels",
                    tokens,
                    new TapedPass(rule, gradient, all));
            Measurement blocks =
                    bench.time(
                            work,
                            "blocks",
                            tokens,
                            scope -> Kernels.without(() -> forward.run(scope)));
            bench.compare(work + ": blocks / kernels", blocks, kernels);
        }
    }

    private String describe() {
        return " B " + batch + " T " + length + " H " + heads + " K " + keyDim + " V " + valueDim;
    }

    private static NDArray narrow(NDManager manager, NDArray array) {
        return Torch.cast(manager, array, ScalarType.BFLOAT16);
    }
}
