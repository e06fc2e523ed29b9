package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.mixer.MixerState;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.rule.Positions;
import java.util.Locale;

/** Mixers of width 1024: a pass over many tokens, with and without backward, and single tokens. */
public enum MixerBench {
    DELTA_NET(DeltaNetConfig.deltaNet().setHeads(8).setHeadDims(128, 128).build()),
    GATED_DELTANET(DeltaNetConfig.gatedDeltaNet().setHeads(6).setHeadDims(128, 256).build()),
    MAMBA2(Mamba2Config.ofWidth(1024, 128)),
    RG_LRU(new RgLruConfig(1024, 8, 4)),
    ATTENTION(AttentionConfig.plain(8, 1, 128, 0)),
    SLIDING_WINDOW_ATTENTION(AttentionConfig.plain(8, 1, 128, 1024));

    private static final int WIDTH = 1024;
    private static final int LENGTH = 1024;
    private static final double SIGMA = 0.02;

    private final MixerConfig config;

    MixerBench(MixerConfig config) {
        this.config = config;
    }

    /**
     * Runs the benchmark.
     *
     * @param bench takes the results
     * @param shape B and T where the user chose them
     */
    public void run(Bench bench, BenchShape shape) {
        int batch = shape.batchOr(1);
        int length = shape.lengthOr(LENGTH);
        SequenceMixer mixer = config.create(WIDTH, Initialization.normal(SIGMA));
        try (NDManager weights = bench.manager().newSubManager()) {
            mixer.initialize(weights, DataType.FLOAT32);
            ParameterStore store = new ParameterStore(weights, false);
            NDArray x = Randoms.normal(weights, batch, length, WIDTH);
            String name = name().toLowerCase(Locale.ROOT).replace('_', '-');
            String work = name + " B " + batch + " D " + WIDTH;
            String many = work + " T " + length;
            long tokens = (long) batch * length;
            Workload forward = scope -> forward(mixer, store, scope, x, false);
            bench.time(many + " forward", "chunked", tokens, forward);
            bench.timeGradient(
                    many + " forward + backward",
                    "chunked",
                    tokens,
                    scope -> forward(mixer, store, scope, x, true).sum());
            bench.time(many, "a token after", batch, new Step(mixer, store, weights, x));
        }
    }

    /** One more token after those of x, and one more at each call. */
    private static final class Step implements Workload {

        private final SequenceMixer mixer;
        private final ParameterStore store;
        private final NDManager owner;
        private final NDArray token; // [B, 1, D]
        private MixerState state;
        private long position;

        Step(SequenceMixer mixer, ParameterStore store, NDManager owner, NDArray x) {
            this.mixer = mixer;
            this.store = store;
            this.owner = owner;
            token = Randoms.normal(owner, x.getShape().get(0), 1, WIDTH);
            advance(owner, x);
        }

        @Override
        public NDArray run(NDManager scope) {
            return advance(scope, token);
        }

        private NDArray advance(NDManager scope, NDArray x) {
            long length = x.getShape().get(1);
            Positions positions = Positions.range(scope, x.getShape().get(0), length, position);
            SequenceMixer.Output output = mixer.forward(store, x, positions, state, false);
            state = output.state();
            NDScope.unregister(state.arrays());
            state.attach(owner);
            position += length;
            return output.y();
        }
    }

    private static NDArray forward(
            SequenceMixer mixer,
            ParameterStore store,
            NDManager scope,
            NDArray x,
            boolean training) {
        long batch = x.getShape().get(0);
        long length = x.getShape().get(1);
        Positions positions = Positions.range(scope, batch, length, 0);
        return mixer.forward(store, x, positions, null, training).y();
    }
}
