package dev.recurrent.tests;

import static dev.recurrent.tests.support.Tensors.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.ModelState;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.blocks.rule.Positions;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The model around the mixers, with one layer of each kind, before and after which norms stand. */
class LanguageModelTest {

    /** Some hundred fp32 roundings through five layers. */
    private static final double TOLERANCE = 1e-5;

    private static final int VOCABULARY = 29;

    private static final double CAP = 3;

    /** A document of three tokens behind padding, then one of five. */
    private static final long[] LEFT_PADDED = {-1, -1, 0, 1, 2, 0, 1, 2, 3, 4};

    private NDManager manager;
    private ParameterStore store;
    private LanguageModel model;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
        store = new ParameterStore(manager, false);
        model = create(CAP);
    }

    private LanguageModel create(double softCap) {
        MlpConfig mlp = new MlpConfig(24, Activation.SILU, false);
        List<LayerConfig> layers =
                List.of(
                        new LayerConfig(new RgLruConfig(16, 4, 4), mlp),
                        new LayerConfig(
                                DeltaNetConfig.gatedDeltaNet()
                                        .setHeads(2)
                                        .setHeadDims(8, 8)
                                        .build(),
                                mlp,
                                true),
                        new LayerConfig(Mamba2Config.ofWidth(32, 8), null),
                        new LayerConfig(AttentionConfig.plain(2, 1, 8, 4), mlp),
                        new LayerConfig(AttentionConfig.plain(2, 2, 8, 0), mlp));
        manager.getEngine().setRandomSeed(3);
        LanguageModel created =
                new LanguageModel(
                        new LanguageModelConfig(
                                16,
                                VOCABULARY,
                                NormConfig.plain(1e-6),
                                layers,
                                true,
                                4,
                                softCap,
                                Initialization.normal(0.3)));
        created.initialize(manager, DataType.FLOAT32);
        return created;
    }

    @AfterEach
    void close() {
        manager.close();
    }

    static Stream<long[]> rows() {
        return Stream.of(new long[] {0, 1, 2, 3, 4}, LEFT_PADDED);
    }

    @ParameterizedTest
    @MethodSource("rows")
    void leavesNothingBehindButItsResults(long... row) {
        try (NDManager pass = manager.newSubManager();
                NDManager masks = manager.newSubManager()) {
            NDArray ids = ids(pass, row.length);
            Positions positions = Positions.of(masks, 1, row.length, row);
            LanguageModel.Output output = model.forward(store, ids, positions, null, false);
            assertThat(pass.getManagedArrays()).hasSize(2 + states(output.state()));
        }
    }

    private static int states(ModelState state) {
        return state.layers().stream().mapToInt(layer -> layer.arrays().size()).sum();
    }

    @Test
    void paddingAndDocumentsBeforeChangeNothing() {
        NDArray ids = ids(manager, LEFT_PADDED.length);
        NDArray logits =
                model.forward(store, ids, Positions.of(manager, 1, 10, LEFT_PADDED), null, false)
                        .values();
        NDArray document = ids.get(":, 5:");
        NDArray alone =
                model.forward(store, document, Positions.range(manager, 1, 5, 0), null, false)
                        .values();
        assertClose("document", logits.get(":, 5:"), alone, TOLERANCE);
    }

    @Test
    void aStepIsAPassOfOneToken() {
        NDArray ids = ids(manager, 4);
        NDArray wanted =
                model.forward(store, ids, Positions.range(manager, 1, 4, 0), null, false).values();
        ModelState state =
                model.forward(
                                store,
                                ids.get(":, :3"),
                                Positions.range(manager, 1, 3, 0),
                                null,
                                false)
                        .state();
        assertThat(model.capacity(state)).isEqualTo(256);
        NDArray position = manager.create(new long[] {3}, new Shape(1, 1));
        LanguageModel.Output output =
                model.step(
                        store,
                        ids.get(":, 3:"),
                        Positions.continued(position, model.capacity(state) - 1),
                        state);
        assertThat(model.capacity(output.state())).isEqualTo(256);
        assertClose("step", output.values(), wanted.get(":, 3:"), TOLERANCE);
    }

    @Test
    void asABlockItTakesIdsAndPositions() {
        NDArray ids = ids(manager, 6);
        NDArray expected =
                model.forward(store, ids, Positions.range(manager, 1, 6, 0), null, false).values();
        assertThat(model.getOutputShapes(new Shape[] {ids.getShape()}))
                .containsExactly(new Shape(1, 6, VOCABULARY));
        NDArray positions = Positions.range(manager, 1, 6, 0).array();
        for (NDList inputs : List.of(new NDList(ids), new NDList(ids, positions))) {
            NDList outputs = model.forward(store, inputs, false);
            assertClose("logits", outputs.singletonOrThrow(), expected, TOLERANCE);
        }
    }

    @Test
    void softCapBendsLogits() {
        NDArray ids = ids(manager, 6);
        Positions positions = Positions.range(manager, 1, 6, 0);
        NDArray capped = model.forward(store, ids, positions, null, false).values();
        NDArray raw = create(0).forward(store, ids, positions, null, false).values();
        assertClose("capped", capped, raw.div(CAP).tanh().mul(CAP), TOLERANCE);
        assertThat(raw.sub(capped).abs().max().getFloat()).isGreaterThan(0.1f);
    }

    @Test
    void saysWhatDoesNotFit() {
        Positions positions = Positions.range(manager, 1, 2, 0);
        assertRefused(manager.create(new long[][] {{0, VOCABULARY}}), positions, null)
                .hasMessage("Token id 29 is not in the vocabulary [0, 29)");
        assertRefused(manager.create(new long[][] {{-1, 0}}), positions, null)
                .hasMessage("Token id -1 is not in the vocabulary [0, 29)");
        assertRefused(manager.create(new int[][] {{0, 1}}), positions, null)
                .hasMessageContaining("must be int64 (1, 2)");
        assertRefused(manager.create(new long[][] {{0, 1, 2}}), positions, null)
                .hasMessageContaining("must be int64 (1, 2)");
        assertRefused(
                        manager.create(new long[][] {{0, 1}}),
                        Positions.range(manager, 1, 2, 1),
                        new ModelState(List.of()))
                .hasMessage("A state of 0 layers was given to a model of 5");
    }

    private AbstractThrowableAssert<?, ? extends Throwable> assertRefused(
            NDArray ids, Positions positions, ModelState state) {
        return assertThatThrownBy(() -> model.forward(store, ids, positions, state, false))
                .isInstanceOf(IllegalArgumentException.class);
    }

    private static NDArray ids(NDManager manager, int length) {
        long[] ids = LongStream.range(0, length).map(i -> 7 * i % VOCABULARY).toArray();
        return manager.create(ids, new Shape(1, length));
    }
}
