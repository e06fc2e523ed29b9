package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.LinearRecurrence;
import dev.recurrent.blocks.rule.Positions;

/** Rules in their chunked form beside the loop over time that defines them. */
public enum RuleBench {
    DELTA_RULE(1, 2048) {
        @Override
        void run(Bench bench, int batch, int length) {
            delta(bench, "delta rule", batch, length, true, false);
        }

        @Override
        public void run(Bench bench, BenchShape shape) {
            DeltaKernelBench.run(bench, shape, "delta rule", false);
            portable(bench, shape);
        }
    },
    GATED_DELTA_RULE(1, 2048) {
        @Override
        void run(Bench bench, int batch, int length) {
            delta(bench, "gated delta rule", batch, length, true, true);
        }

        @Override
        public void run(Bench bench, BenchShape shape) {
            DeltaKernelBench.run(bench, shape, "gated delta rule", true);
            portable(bench, shape);
        }
    },
    STATE_SPACE_DUALITY(1, 2048) {
        @Override
        void run(Bench bench, int batch, int length) {
            delta(bench, "state-space duality", batch, length, false, true);
        }
    },
    LINEAR_RECURRENCE(1, 4096) {
        @Override
        void run(Bench bench, int batch, int length) {
            recurrence(bench, batch, length);
        }

        /** A device with kernels is also measured at a size that fills it. */
        @Override
        public void run(Bench bench, BenchShape shape) {
            portable(bench, shape);
            if (Kernels.on(bench.manager().getDevice()).isPresent()) {
                new RecurrenceKernelBench(bench, shape).run();
            }
        }
    };

    private static final int HEADS = 8;
    private static final int HEAD_DIM = 64;
    private static final int WIDTH = 1024;

    private final int defaultBatch;
    private final int defaultLength;

    RuleBench(int defaultBatch, int defaultLength) {
        this.defaultBatch = defaultBatch;
        this.defaultLength = defaultLength;
    }

    /**
     * Runs the benchmark.
     *
     * @param bench takes the results
     * @param shape B and T where the user chose them
     */
    public void run(Bench bench, BenchShape shape) {
        run(bench, shape.batchOr(defaultBatch), shape.lengthOr(defaultLength));
    }

    abstract void run(Bench bench, int batch, int length);

    /** Runs without kernels. */
    void portable(Bench bench, BenchShape shape) {
        Kernels.without(
                () -> {
                    run(bench, shape.batchOr(defaultBatch), shape.lengthOr(defaultLength));
                    return bench;
                });
    }

    private static void delta(
            Bench bench, String name, int batch, int length, boolean corrects, boolean decays) {
        try (NDManager inputs = bench.manager().newSubManager()) {
            NDArray q = Randoms.normal(inputs, batch, length, HEADS, HEAD_DIM);
            NDArray k = unit(Randoms.normal(inputs, batch, length, HEADS, HEAD_DIM));
            NDArray v = Randoms.normal(inputs, batch, length, HEADS, HEAD_DIM);
            NDArray beta = corrects ? Randoms.uniform(inputs, 0, 1, batch, length, HEADS) : null;
            NDArray decay = decays ? Randoms.uniform(inputs, -1, 0, batch, length, HEADS) : null;
            double scale = 1 / Math.sqrt(HEAD_DIM);
            String work =
                    name + " B " + batch + " T " + length + " H " + HEADS + " K = V = " + HEAD_DIM;
            Workload chunked =
                    scope -> {
                        Positions positions = Positions.range(scope, batch, length, 0);
                        return DeltaRule.apply(q, k, v, beta, decay, scale, null, positions)
                                .values();
                    };
            long tokens = (long) batch * length;
            Measurement fast = bench.time(work, "chunked", tokens, chunked);
            Measurement slow =
                    bench.time(
                            work,
                            "loop",
                            tokens,
                            scope -> Loops.delta(q, k, v, beta, decay, scale));
            bench.compare(name + ": loop / chunked", slow, fast);
        }
    }

    private static void recurrence(Bench bench, int batch, int length) {
        try (NDManager inputs = bench.manager().newSubManager()) {
            NDArray x = Randoms.normal(inputs, batch, length, WIDTH);
            NDArray decay = Randoms.uniform(inputs, 0.5, 1, batch, length, WIDTH);
            String work = "linear recurrence B " + batch + " T " + length + " E " + WIDTH;
            long tokens = (long) batch * length;
            Workload blocks =
                    scope -> {
                        Positions positions = Positions.range(scope, batch, length, 0);
                        return LinearRecurrence.apply(x, decay, null, positions).values();
                    };
            Workload loop = scope -> Loops.recurrence(x, decay);
            Measurement fast = bench.time(work + " forward", "blocks", tokens, blocks);
            Measurement slow = bench.time(work + " forward", "loop", tokens, loop);
            bench.compare("linear recurrence forward: loop / blocks", slow, fast);
            x.setRequiresGradient(true);
            decay.setRequiresGradient(true);
            String both = work + " forward + backward";
            fast = bench.timeGradient(both, "blocks", tokens, scope -> blocks.run(scope).sum());
            slow = bench.timeGradient(both, "loop", tokens, scope -> loop.run(scope).sum());
            bench.compare("linear recurrence forward + backward: loop / blocks", slow, fast);
        }
    }

    private static NDArray unit(NDArray x) {
        return x.div(x.mul(x).sum(new int[] {-1}, true).sqrt());
    }
}
