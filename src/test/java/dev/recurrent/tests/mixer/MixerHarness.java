package dev.recurrent.tests.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.mixer.MixerState;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** One mixer with random parameters, and ways to run a sequence through it. */
final class MixerHarness implements AutoCloseable {

    static final long WIDTH = 24;

    private final NDManager manager = NDManager.newBaseManager();
    final ParameterStore store = new ParameterStore(manager, false);
    final SequenceMixer mixer;

    MixerHarness(MixerConfig config) {
        manager.getEngine().setRandomSeed(7);
        mixer = config.create(WIDTH, Initialization.normal(0.3));
        mixer.initialize(manager, DataType.FLOAT32, new Shape(1, 1, WIDTH));
    }

    /** Every kind of mixer, with the options that change its mathematics. */
    static Map<String, MixerConfig> kinds() {
        Map<String, MixerConfig> kinds = new LinkedHashMap<>();
        kinds.put("deltaNet", DeltaNetConfig.deltaNet().setHeads(2).setHeadDims(8, 12).build());
        kinds.put(
                "deltaNetWithoutConvolution",
                DeltaNetConfig.deltaNet()
                        .setHeads(3)
                        .setHeadDims(8, 8)
                        .optConvolution(0, false)
                        .optQueryKeyActivation(Activation.ELU_PLUS_ONE)
                        .optQueryKeyNorm(DeltaNetConfig.QueryKeyNorm.SUM)
                        .optOutputGate(true)
                        .build());
        kinds.put(
                "gatedDeltaNet",
                DeltaNetConfig.gatedDeltaNet()
                        .setHeads(2)
                        .setHeadDims(8, 16)
                        .optValueHeads(4)
                        .optNegativeEigenvalues(true)
                        .build());
        kinds.put(
                "mamba2",
                new Mamba2Config(
                        4, 12, 8, 2, 4, true, false, 0, Double.POSITIVE_INFINITY, 1, 1e-5));
        kinds.put("attention", AttentionConfig.plain(4, 2, 8, 0));
        kinds.put("slidingWindow", AttentionConfig.plain(4, 1, 8, 17));
        kinds.put("rgLru", new RgLruConfig(32, 4, 4));
        return kinds;
    }

    NDManager manager() {
        return manager;
    }

    NDArray input(long seed, long batch, long length) {
        return Tensors.normal(manager, seed, batch, length, WIDTH);
    }

    SequenceMixer.Output run(NDArray x, Positions positions, MixerState state) {
        return mixer.forward(store, x, positions, state, false);
    }

    /** The whole sequence at once, from the start of a document. */
    SequenceMixer.Output full(NDArray x) {
        return run(x, range(x, 0), null);
    }

    /** The sequence in pieces that end at {@code ends}, continuing from state at {@code start}. */
    SequenceMixer.Output pieces(NDArray x, MixerState state, long start, long... ends) {
        NDList outputs = new NDList();
        MixerState carried = state;
        long begin = 0;
        for (long end : ends) {
            NDArray piece = columns(x, begin, end);
            SequenceMixer.Output output = run(piece, range(piece, start + begin), carried);
            outputs.add(output.y());
            carried = output.state();
            begin = end;
        }
        return new SequenceMixer.Output(NDArrays.concat(outputs, 1), carried);
    }

    /** The sequence token by token. */
    SequenceMixer.Output steps(NDArray x, MixerState state, long start) {
        long[] ends = new long[Math.toIntExact(x.getShape().get(1))];
        for (int i = 0; i < ends.length; i++) {
            ends[i] = i + 1L;
        }
        return pieces(x, state, start, ends);
    }

    Positions positions(long[]... rows) {
        long[] values = Arrays.stream(rows).flatMapToLong(Arrays::stream).toArray();
        return Positions.of(manager, rows.length, rows[0].length, values);
    }

    static Positions range(NDArray x, long start) {
        return Positions.range(x.getManager(), x.getShape().get(0), x.getShape().get(1), start);
    }

    static NDArray columns(NDArray x, long begin, long end) {
        return x.get(new NDIndex().addAllDim().addSliceDim(begin, end));
    }

    static NDArray row(NDArray x, long row) {
        return x.get(new NDIndex().addSliceDim(row, row + 1));
    }

    Map<String, Parameter> parameters() {
        return SizedBlock.parametersOf(mixer);
    }

    @Override
    public void close() {
        manager.close();
    }
}
