package dev.recurrent.tests.mixer;

import static dev.recurrent.tests.mixer.MixerHarness.WIDTH;
import static dev.recurrent.tests.mixer.MixerHarness.columns;
import static dev.recurrent.tests.mixer.MixerHarness.range;
import static dev.recurrent.tests.mixer.MixerHarness.row;
import static dev.recurrent.tests.support.ScanOracle.doubles;
import static dev.recurrent.tests.support.ScanOracle.tensor;
import static dev.recurrent.tests.support.Tensors.assertClose;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.AttentionConfig.QueryKeyNorm;
import dev.recurrent.blocks.mixer.AttentionState;
import dev.recurrent.blocks.mixer.MixerState;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.tests.support.AttentionOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What attention promises beyond {@link MixerContractTest}. */
class MultiQueryAttentionTest {

    /** fp32 against double precision through four projections and a softmax. */
    private static final double TOLERANCE = 1e-5;

    static Map<String, AttentionConfig> configs() {
        NormConfig plain = NormConfig.plain(1e-6);
        NormConfig centred = NormConfig.zeroCentred(1e-6);
        Map<String, AttentionConfig> configs = new LinkedHashMap<>();
        configs.put("multi-query", AttentionConfig.plain(4, 1, 6, 0));
        configs.put("grouped, window 1", AttentionConfig.plain(4, 2, 6, 1));
        configs.put("multi-head, window 3", AttentionConfig.plain(4, 4, 6, 3));
        configs.put("window 16", AttentionConfig.plain(4, 1, 6, 16));
        configs.put("window 100", AttentionConfig.plain(4, 2, 6, 100));
        configs.put("partial rotation, biased", config(1, 16, 2, false, true, null, false));
        configs.put("no rotation, all biased", config(2, 16, 0, true, true, null, false));
        configs.put("norm over heads, gate", config(2, 0, 4, false, false, centred, true));
        configs.put("norm over width", width(config(4, 16, 6, false, false, plain, false)));
        configs.put("norm over width, gate", width(config(2, 0, 6, true, false, plain, true)));
        return configs;
    }

    private static AttentionConfig config(
            long groups,
            int window,
            long rotaryDim,
            boolean projectionBias,
            boolean outputBias,
            NormConfig norm,
            boolean gate) {
        QueryKeyNorm where = norm == null ? QueryKeyNorm.NONE : QueryKeyNorm.HEAD;
        return new AttentionConfig(
                4,
                groups,
                6,
                window,
                rotaryDim,
                100,
                projectionBias,
                outputBias,
                where,
                norm,
                gate);
    }

    private static AttentionConfig width(AttentionConfig c) {
        return new AttentionConfig(
                c.heads(),
                c.keyValueHeads(),
                c.headDim(),
                c.window(),
                c.rotaryDim(),
                c.rotaryTheta(),
                c.projectionBias(),
                c.outputBias(),
                QueryKeyNorm.WIDTH,
                c.norm(),
                c.outputGate());
    }

    static Stream<String> names() {
        return configs().keySet().stream();
    }

    /** A mixer whose norms and biases have values of their own, too. */
    private static MixerHarness harness(AttentionConfig config) {
        MixerHarness harness = new MixerHarness(config);
        int seed = 100;
        for (Parameter parameter : harness.parameters().values()) {
            NDArray array = parameter.getArray();
            if (array.getShape().dimension() == 1) {
                array.addi(
                        Tensors.normal(harness.manager(), seed++, array.getShape().get(0))
                                .mul(0.3f));
            }
        }
        return harness;
    }

    private static NDArray oracle(
            MixerHarness harness, AttentionConfig config, NDArray x, Positions positions) {
        Map<String, double[]> parameters = new LinkedHashMap<>();
        harness.parameters()
                .forEach((name, value) -> parameters.put(name, doubles(value.getArray())));
        double[] y =
                AttentionOracle.mix(
                        config,
                        parameters,
                        doubles(x),
                        positions.array().toLongArray(),
                        (int) positions.batch());
        NDArray real = positions.real().expandDims(2);
        return tensor(harness.manager(), y, x.getShape()).mul(real);
    }

    @ParameterizedTest
    @MethodSource("names")
    void equalsTheDoubleLoop(String name) {
        AttentionConfig config = configs().get(name);
        try (MixerHarness harness = harness(config)) {
            for (long length : new long[] {1, 2, 63, 64, 65, 150}) {
                NDArray x = harness.input(length, 2, length);
                NDArray expected = oracle(harness, config, x, range(x, 0));
                assertClose("T " + length, harness.full(x).y(), expected, TOLERANCE);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("names")
    void stepsAndChunksEqualTheDoubleLoop(String name) {
        AttentionConfig config = configs().get(name);
        try (MixerHarness harness = harness(config)) {
            NDArray x = harness.input(1, 2, 150);
            NDArray expected = oracle(harness, config, x, range(x, 0));
            assertClose("steps", harness.steps(x, null, 0).y(), expected, TOLERANCE);
            long[] ends = {1, 3, 20, 21, 22, 120, 150};
            assertClose("chunks", harness.pieces(x, null, 0, ends).y(), expected, TOLERANCE);
        }
    }

    @ParameterizedTest
    @MethodSource("names")
    void documentsAndPaddingEqualTheDoubleLoop(String name) {
        AttentionConfig config = configs().get(name);
        try (MixerHarness harness = harness(config)) {
            long[] first = new long[80];
            long[] second = new long[80];
            for (int t = 0; t < 80; t++) {
                first[t] = t < 30 ? t : t - 30;
                second[t] = t < 7 ? t : t < 60 ? t - 7 : -1;
            }
            NDArray x = harness.input(1, 2, 80);
            Positions positions = harness.positions(first, second);
            SequenceMixer.Output output = harness.run(x, positions, null);
            assertClose("y", output.y(), oracle(harness, config, x, positions), TOLERANCE);
            assertContinues(harness, x, output.state(), new int[] {30, 7}, new int[] {80, 60});
        }
    }

    /** Single steps of rows that stand at different positions, each as if it were alone. */
    private static void assertContinues(
            MixerHarness harness, NDArray x, MixerState state, int[] begins, int[] ends) {
        NDArray next = harness.input(2, 2, 25);
        NDList steps = new NDList();
        MixerState carried = state;
        for (int t = 0; t < 25; t++) {
            Positions positions =
                    harness.positions(
                            new long[] {ends[0] - begins[0] + t},
                            new long[] {ends[1] - begins[1] + t});
            SequenceMixer.Output output = harness.run(columns(next, t, t + 1), positions, carried);
            steps.add(output.y());
            carried = output.state();
        }
        NDArray together = NDArrays.concat(steps, 1);
        for (int i = 0; i < 2; i++) {
            NDArray document = columns(row(x, i), begins[i], ends[i]);
            NDArray all = NDArrays.concat(new NDList(document, row(next, i)), 1);
            long length = all.getShape().get(1);
            NDArray alone = columns(harness.full(all).y(), length - 25, length);
            assertClose("row " + i, row(together, i), alone, TOLERANCE);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 16})
    void aPromptLongerThanTheWindowContinues(int window) {
        try (MixerHarness harness = harness(AttentionConfig.plain(4, 2, 6, window))) {
            NDArray x = harness.input(1, 2, 140);
            NDArray full = harness.full(x).y();
            SequenceMixer.Output prompt = harness.full(columns(x, 0, 101));
            NDArray rest = harness.steps(columns(x, 101, 140), prompt.state(), 101).y();
            assertClose("rest", rest, columns(full, 101, 140), TOLERANCE);
        }
    }

    @Test
    void stateBytesOfAWindowNeverChange() {
        AttentionConfig config = AttentionConfig.plain(2, 1, 2, 16);
        try (MixerHarness harness = harness(config)) {
            MixerState state = advance(harness, null, 0, 10, 1);
            long early = state.bytes();
            int arrays = harness.manager().getManagedArrays().size();
            state = advance(harness, state, 10, 9_990, 499);
            state = advance(harness, state, 9_990, 10_000, 1);
            assertThat(state.bytes()).isEqualTo(early).isEqualTo(harness.mixer.stateBytes(10_000));
            assertThat(harness.mixer.stateBytes(1)).isEqualTo(early);
            assertThat(harness.manager().getManagedArrays().size()).isEqualTo(arrays);
        }
    }

    /** Runs tokens, some at a time, keeping nothing but the state. */
    private static MixerState advance(
            MixerHarness harness, MixerState state, long from, long to, long stride) {
        MixerState carried = state;
        for (long t = from; t < to; t += stride) {
            long length = Math.min(stride, to - t);
            try (NDManager step = harness.manager().newSubManager()) {
                NDArray x = Tensors.normal(step, t, 1, length, WIDTH);
                carried = harness.run(x, Positions.range(step, 1, length, t), carried).state();
                carried.attach(harness.manager());
            }
        }
        return carried;
    }

    @Test
    void anUnboundedStateGrowsByAQuarterAtATime() {
        try (MixerHarness harness = harness(AttentionConfig.plain(2, 1, 4, 0))) {
            NDArray x = harness.input(1, 2, 520);
            SequenceMixer.Output full = harness.full(x);
            SequenceMixer.Output some = harness.full(columns(x, 0, 250));
            assertThat(some.state().bytes()).isEqualTo(2 * harness.mixer.stateBytes(250));
            long[] ends = {1, 2, 3, 4, 5, 6, 7, 8, 200, 262, 263, 270};
            SequenceMixer.Output rest =
                    harness.pieces(columns(x, 250, 520), some.state(), 250, ends);
            assertClose("rest", rest.y(), columns(full.y(), 250, 520), TOLERANCE);
            assertThat(rest.state().bytes())
                    .isEqualTo(full.state().bytes())
                    .isEqualTo(2 * harness.mixer.stateBytes(520));
            for (long tokens = 1; tokens < 100_000; tokens += 97) {
                long exact = tokens * (2 * 4 * Float.BYTES + Long.BYTES);
                assertThat(harness.mixer.stateBytes(tokens))
                        .isGreaterThan(exact)
                        .isLessThan(exact + Math.max(exact / 4, 256 * 40) + 41);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 16})
    void aStepWritesIntoItsState(int window) {
        try (MixerHarness harness = harness(AttentionConfig.plain(4, 2, 6, window))) {
            AttentionState state = (AttentionState) harness.full(harness.input(1, 2, 30)).state();
            NDArray x = harness.input(2, 2, 1);
            MixerState next = harness.run(x, range(x, 30), state).state();
            for (int i = 0; i < 3; i++) {
                assertThat(next.arrays().get(i) == state.arrays().get(i)).isTrue();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 16})
    void trainingLeavesAStateThatGradientsPassThrough(int window) {
        try (MixerHarness harness = harness(AttentionConfig.plain(4, 2, 6, window))) {
            NDArray x = harness.input(1, 2, 40);
            NDArray upstream = harness.input(2, 2, 40);
            NDArray whole = gradient(harness, x, upstream, 40);
            assertClose("chunks", gradient(harness, x, upstream, 13, 20, 40), whole, TOLERANCE);
            assertClose("steps", gradient(harness, x, upstream, 38, 39, 40), whole, TOLERANCE);
        }
    }

    private static NDArray gradient(
            MixerHarness harness, NDArray x, NDArray upstream, long... ends) {
        NDArray leaf = x.duplicate();
        leaf.setRequiresGradient(true);
        try (GradientCollector collector = harness.manager().getEngine().newGradientCollector()) {
            NDList outputs = new NDList();
            MixerState state = null;
            long begin = 0;
            for (long end : ends) {
                NDArray part = columns(leaf, begin, end);
                SequenceMixer.Output output =
                        harness.mixer.forward(harness.store, part, range(part, begin), state, true);
                outputs.add(output.y());
                state = output.state();
                begin = end;
            }
            // A list of one is duplicated by concat, which ends the graph.
            NDArray y = outputs.size() == 1 ? outputs.head() : NDArrays.concat(outputs, 1);
            collector.backward(y.mul(upstream).sum());
        }
        return leaf.getGradient().duplicate();
    }

    @Test
    void reorderedRowsContinueAsTheirOwn() {
        try (MixerHarness harness = harness(AttentionConfig.plain(4, 1, 6, 5))) {
            NDArray x = harness.input(1, 2, 20);
            NDArray next = harness.input(2, 2, 8);
            MixerState state = harness.full(x).state();
            NDArray rows = harness.manager().create(new long[] {1, 1});
            NDArray y = harness.steps(next, state.select(rows), 20).y();
            for (int i = 0; i < 2; i++) {
                NDArray all = NDArrays.concat(new NDList(row(x, 1), row(next, i)), 1);
                assertClose(
                        "row " + i, row(y, i), columns(harness.full(all).y(), 20, 28), TOLERANCE);
            }
        }
    }

    @Test
    void parametersAreNamedAsUpstream() {
        AttentionConfig config = configs().get("norm over width, gate");
        try (MixerHarness harness = harness(config)) {
            Map<String, String> shapes = new LinkedHashMap<>();
            harness.parameters()
                    .forEach(
                            (name, value) ->
                                    shapes.put(name, Arrays.toString(value.getShape().getShape())));
            assertThat(shapes)
                    .containsOnly(
                            Map.entry("q_proj.weight", "[48, " + WIDTH + "]"),
                            Map.entry("q_proj.bias", "[48]"),
                            Map.entry("k_proj.weight", "[12, " + WIDTH + "]"),
                            Map.entry("k_proj.bias", "[12]"),
                            Map.entry("v_proj.weight", "[12, " + WIDTH + "]"),
                            Map.entry("v_proj.bias", "[12]"),
                            Map.entry("o_proj.weight", "[" + WIDTH + ", 24]"),
                            Map.entry("q_norm.weight", "[24]"),
                            Map.entry("k_norm.weight", "[12]"));
        }
    }
}
