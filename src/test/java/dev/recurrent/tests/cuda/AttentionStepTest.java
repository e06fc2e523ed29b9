package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.AttentionConfig.QueryKeyNorm;
import dev.recurrent.blocks.mixer.MixerState;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.SlidingWindowAttention;
import dev.recurrent.blocks.rule.SlidingWindowAttention.Past;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Kernels of attention's mixer against the portable forms, which are tested by themselves. */
@Tag("cuda")
class AttentionStepTest {

    /** A softmax over up to some thousand fp32 scores of a few units, in two orders. */
    private static final double TOLERANCE = 1e-5;

    private static final double BFLOAT16_TOLERANCE = 1e-2;

    private static final long WIDTH = 64;

    private NDManager manager;

    @BeforeEach
    void open() {
        CudaCase.needDevice();
        manager = NDManager.newBaseManager(Device.gpu());
    }

    @AfterEach
    void close() {
        if (manager != null) {
            manager.close();
        }
    }

    /** One piece and many, heads in one block and several, heads that no load fits. */
    @ParameterizedTest
    @CsvSource({
        "1, 1, 10, 2049, 256, 256",
        "2, 10, 1, 2049, 256, 256",
        "3, 2, 4, 257, 64, 64",
        "40, 4, 1, 33, 128, 64",
        "2, 2, 3, 70, 6, 5",
        "1, 1, 16, 5000, 40, 40",
        "2, 1, 2, 100, 512, 512"
    })
    void aStepSeesWhatIsHeld(
            int batch, int groups, int share, int slots, int keyDim, int valueDim) {
        Random random = new Random(slots);
        long[] held = new long[batch * slots];
        for (int i = 0; i < held.length; i++) {
            held[i] = random.nextInt(3) == 0 || i % slots == 0 ? -1 : i % slots - 1;
        }
        NDArray places = manager.create(held, new Shape(batch, slots));
        NDArray empty = places.lt(0L).reshape(batch, 1, slots, 1).toType(DataType.FLOAT32, false);
        Positions positions = Positions.range(manager, batch, 1, slots);
        NDArray normal = Tensors.normal(manager, 1, batch, 1, groups * share, keyDim);
        // What is not held may be anything.
        NDArray k = Tensors.normal(manager, 2, batch, groups, slots, keyDim).add(empty.mul(1e30f));
        NDArray v = Tensors.normal(manager, 3, batch, groups, slots, valueDim);
        for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            NDArray q = Torch.cast(normal, type);
            Past seen = new Past(Torch.cast(k, type), Torch.cast(v, type), places);
            NDArray fused = step(q, seen, positions);
            NDArray portable =
                    Kernels.without(
                            () ->
                                    step(
                                            wide(q),
                                            new Past(
                                                    wide(seen.keys()), wide(seen.values()), places),
                                            positions));
            assertThat(Torch.typeOf(fused)).isEqualTo(type);
            Tensors.assertClose(
                    type.toString(),
                    wide(fused),
                    portable,
                    type == ScalarType.FLOAT32 ? TOLERANCE : BFLOAT16_TOLERANCE);
            assertThat(wide(step(q, seen, positions)).toFloatArray())
                    .isEqualTo(wide(fused).toFloatArray());
        }
    }

    /**
     * Few slots of many, all, one and none, merged by the last block or by a launch of its own; the
     * rows' tokens stand one behind the other, down to padding.
     */
    @ParameterizedTest
    @CsvSource({
        "1, 10, 1, 2049, 256, 190",
        "1, 1, 10, 2049, 256, 190",
        "3, 10, 1, 2049, 256, 2048",
        "2, 2, 8, 20000, 256, 19000",
        "2, 4, 1, 257, 128, 256",
        "2, 4, 2, 257, 64, 100",
        "4, 1, 3, 2049, 40, 2",
        "3, 1, 1, 300, 64, 0"
    })
    void whatIsBeyondTheTokenIsNotLookedAt(
            int batch, int groups, int share, int slots, int dim, int count) {
        long[] held = new long[batch * slots];
        long[] last = new long[batch];
        for (int row = 0; row < batch; row++) {
            last[row] = Math.max(-1, count - 1 - row);
            for (int s = 0; s < slots; s++) {
                held[row * slots + s] = s > 0 && s <= last[row] + 1 ? s - 1 : -1;
            }
        }
        NDArray places = manager.create(held, new Shape(batch, slots));
        NDArray empty = places.lt(0L).reshape(batch, 1, slots, 1);
        NDArray nothing = manager.full(new Shape(1), Float.NaN);
        NDArray k = Tensors.normal(manager, 2, batch, groups, slots, dim);
        NDArray v = Tensors.normal(manager, 3, batch, groups, slots, dim);
        NDArray normal = Tensors.normal(manager, 1, batch, 1, groups * share, dim);
        Positions positions = Positions.of(manager, batch, 1, last);
        for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            NDArray q = Torch.cast(normal, type);
            NDArray keys = Torch.cast(k, type);
            NDArray values = Torch.cast(v, type);
            Past seen =
                    new Past(
                            where(empty, Torch.cast(nothing, type), keys),
                            where(empty, Torch.cast(nothing, type), values),
                            places);
            for (int size : new int[] {1, 2, 33, 64, 128}) {
                // Partial sums come from memory that others have used.
                manager.full(new Shape(normal.size() * size), Float.NaN).close();
            }
            NDArray fused = step(q, seen, positions);
            // The blocks count from 0 again.
            for (int again = 0; again < 3; again++) {
                assertThat(wide(step(q, seen, positions)).toFloatArray())
                        .isEqualTo(wide(fused).toFloatArray());
            }
            NDArray portable =
                    Kernels.without(
                            () ->
                                    step(
                                            wide(q),
                                            new Past(wide(keys), wide(values), places),
                                            positions));
            for (int row = 0; row < batch; row++) {
                NDArray own = wide(fused).get(row);
                if (last[row] < 0) {
                    assertThat(own.toFloatArray()).containsOnly(0f);
                } else {
                    Tensors.assertClose(
                            type + " row " + row,
                            own,
                            portable.get(row),
                            type == ScalarType.FLOAT32 ? TOLERANCE : BFLOAT16_TOLERANCE);
                }
            }
        }
    }

    private NDArray where(NDArray condition, NDArray yes, NDArray no) {
        // where.self(Tensor condition, Tensor self, Tensor other)
        return Torch.call(manager, "aten::where.self", condition, yes, no);
    }

    private static NDArray step(NDArray q, Past seen, Positions positions) {
        return GradientMode.off(() -> SlidingWindowAttention.step(q, seen, positions, 0.3));
    }

    private static NDArray wide(NDArray x) {
        return Torch.cast(x, ScalarType.FLOAT32);
    }

    @Test
    void anEmptyCacheGivesZeros() {
        NDArray held = manager.ones(new Shape(1, 1, 4, 8));
        NDArray empty = manager.create(new long[] {-1, -1, -1, -1}, new Shape(1, 4));
        NDArray q = Tensors.normal(manager, 1, 1, 1, 2, 8);
        Positions padding = Positions.of(manager, 1, 1, new long[] {-1});
        assertThat(step(q, new Past(held, held, empty), padding).toFloatArray()).containsOnly(0f);
    }

    private SequenceMixer mixer(AttentionConfig config) {
        SequenceMixer mixer = config.create(WIDTH, Initialization.normal(0.2));
        manager.getEngine().setRandomSeed(7);
        mixer.initialize(manager, DataType.FLOAT32, new Shape(1, 1, WIDTH));
        return mixer;
    }

    private static AttentionConfig gated(int window) {
        return new AttentionConfig(
                4,
                2,
                32,
                window,
                16,
                100,
                false,
                false,
                QueryKeyNorm.HEAD,
                NormConfig.plain(1e-6),
                true);
    }

    /** Rows that go on, start anew and rest, the host told or not. */
    @ParameterizedTest
    @ValueSource(ints = {0, 16})
    void stepsOfTheMixerEqualThePortableForm(int window) {
        SequenceMixer mixer = mixer(gated(window));
        NDArray x = Tensors.normal(manager, 1, 3, 20, WIDTH);
        MixerState fused = run(mixer, x, Positions.range(manager, 3, 20, 0), null).state();
        MixerState replayed = fused.duplicate();
        MixerState portable = fused.duplicate();
        long[][] steps = {{20, 0, -1}, {21, 1, 20}, {0, 2, 21}, {-1, -1, -1}, {1, 3, 0}};
        for (int i = 0; i < 30; i++) {
            long[] values = i < steps.length ? steps[i] : new long[] {i - 3, i - 1, i - 4};
            NDArray next = Tensors.normal(manager, 2 + i, 3, 1, WIDTH);
            NDArray places = manager.create(values, new Shape(3, 1));
            MixerState before = portable;
            SequenceMixer.Output expected =
                    Kernels.without(() -> run(mixer, next, Positions.of(places), before));
            SequenceMixer.Output actual = run(mixer, next, Positions.of(places), fused);
            boolean goOn = Arrays.stream(values).allMatch(value -> value > 0);
            Positions told = goOn ? Positions.continued(places, 200) : Positions.of(places);
            SequenceMixer.Output again = run(mixer, next, told, replayed);
            Tensors.assertClose("step " + i, actual.y(), expected.y(), TOLERANCE);
            assertThat(again.y().toFloatArray()).isEqualTo(actual.y().toFloatArray());
            for (int j = 0; j < 3; j++) {
                assertThat(again.state().arrays().get(j) == replayed.arrays().get(j)).isTrue();
            }
            fused = actual.state();
            replayed = again.state();
            portable = expected.state();
        }
    }

    private SequenceMixer.Output run(
            SequenceMixer mixer, NDArray x, Positions positions, MixerState state) {
        ParameterStore store = new ParameterStore(manager, false);
        return GradientMode.off(() -> mixer.forward(store, x, positions, state, false));
    }

    /** Two rotations and a gate, all of which come from one input. */
    @ParameterizedTest
    @ValueSource(ints = {0, 16})
    void gradientsOfTheTapeEqualThePortableForm(int window) {
        SequenceMixer mixer = mixer(gated(window));
        NDArray x = Tensors.normal(manager, 1, 2, 70, WIDTH);
        NDArray upstream = Tensors.normal(manager, 2, 2, 70, WIDTH);
        Map<String, NDArray> expected = Kernels.without(() -> gradients(mixer, x, upstream));
        Map<String, NDArray> actual = gradients(mixer, x, upstream);
        expected.forEach(
                (name, gradient) ->
                        Tensors.assertClose(name, actual.get(name), gradient, TOLERANCE));
    }

    private Map<String, NDArray> gradients(SequenceMixer mixer, NDArray input, NDArray upstream) {
        ParameterStore store = new ParameterStore(manager, false);
        NDArray x = input.duplicate();
        x.setRequiresGradient(true);
        SizedBlock.parametersOf(mixer)
                .values()
                .forEach(parameter -> parameter.getArray().setRequiresGradient(true));
        try (Tape tape = Tape.open(false)) {
            NDArray y =
                    GradientMode.on(
                            () ->
                                    mixer.forward(
                                                    store,
                                                    x,
                                                    Positions.range(manager, 2, 70, 0),
                                                    null,
                                                    true)
                                            .y());
            tape.backward(y, upstream);
        }
        Map<String, NDArray> gradients = new LinkedHashMap<>();
        gradients.put("x", x.getGradient().duplicate());
        SizedBlock.parametersOf(mixer)
                .forEach(
                        (name, parameter) -> {
                            NDArray gradient = parameter.getArray().getGradient();
                            gradients.put(name, gradient.duplicate());
                            gradient.subi(gradient);
                        });
        return gradients;
    }
}
