package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.DeltaRuleBackwardKernel;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.DeltaGradientOracle;
import dev.recurrent.tests.support.DeltaGradientOracle.Sizes;
import dev.recurrent.tests.support.DeltaGradientOracle.Values;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The backward kernels against the recurrence in float64 and against the portable form. */
@Tag("cuda")
class DeltaRuleGradientKernelTest {

    /** Sums of some hundred products in fp32, chained over some chunks: 2e-6 is met. */
    private static final double EXACT = 1e-5;

    /**
     * Operands of products and states between chunks are rounded to bf16, 2⁻⁹ each: 5e-3 is met,
     * the most by gradients that are sums with cancellation.
     */
    private static final double ROUNDED = 1e-2;

    private static final String[] NAMES = {"q", "k", "v", "beta", "log decay", "state"};

    private NDManager manager;
    private CudaDevice device;

    @BeforeEach
    void open() {
        CudaCase.needDevice();
        manager = NDManager.newBaseManager(Device.gpu());
        device = Kernels.on(Device.gpu()).orElseThrow();
    }

    @AfterEach
    void close() {
        if (manager != null) {
            manager.close();
        }
    }

    /** Arguments of the rule and the gradients of what it returns. */
    private record Case(
            Sizes sizes,
            NDArray[] inputs,
            double scale,
            Positions positions,
            NDArray values,
            NDArray lastState) {

        DeltaRuleBackwardKernel.Gradients run(CudaDevice device) {
            return DeltaRuleBackwardKernel.apply(
                    device,
                    inputs[0],
                    inputs[1],
                    inputs[2],
                    inputs[3],
                    inputs[4],
                    scale,
                    inputs[5],
                    positions.isPlain() ? null : positions.array(),
                    values,
                    lastState);
        }

        Values expected() {
            double[][] doubles = new double[6][];
            for (int i = 0; i < 6; i++) {
                doubles[i] = inputs[i] == null ? null : doubles(inputs[i]);
            }
            return DeltaGradientOracle.gradients(
                    sizes,
                    new Values(
                            doubles[0], doubles[1], doubles[2], doubles[3], doubles[4], doubles[5]),
                    scale,
                    positions.array().toLongArray(),
                    doubles(values),
                    doubles(lastState));
        }

        private static double[] doubles(NDArray array) {
            return ScanOracle.doubles(Torch.cast(array, ScalarType.FLOAT32));
        }
    }

    /** Keys of norm one and β up to 2, where the rule stays bounded. */
    private Case random(
            ScalarType type,
            boolean corrects,
            NDArray decays,
            Positions positions,
            int heads,
            int valueHeads,
            int keyDim,
            int valueDim) {
        int b = Math.toIntExact(positions.batch());
        int t = Math.toIntExact(positions.length());
        NDArray keys = Tensors.normal(manager, 2, b, t, heads, keyDim);
        keys = keys.div(keys.mul(keys).sum(new int[] {3}, true).sqrt());
        NDArray beta =
                Aten.sigmoid(Tensors.normal(manager, 4, b, t, valueHeads)).mul(Scalars.of(2));
        NDArray[] inputs = {
            Torch.cast(Tensors.normal(manager, 1, b, t, heads, keyDim), type),
            Torch.cast(keys, type),
            Torch.cast(Tensors.normal(manager, 3, b, t, valueHeads, valueDim), type),
            corrects ? beta : null,
            decays,
            Tensors.normal(manager, 6, b, valueHeads, keyDim, valueDim)
        };
        return new Case(
                new Sizes(b, t, heads, valueHeads, keyDim, valueDim),
                inputs,
                1 / Math.sqrt(keyDim),
                positions,
                Torch.cast(Tensors.normal(manager, 7, b, t, valueHeads, valueDim), type),
                Tensors.normal(manager, 8, b, valueHeads, keyDim, valueDim));
    }

    private NDArray mildDecays(Positions positions, int valueHeads) {
        return Tensors.normal(manager, 5, positions.batch(), positions.length(), valueHeads)
                .abs()
                .mul(Scalars.of(-.3));
    }

    /** Documents of some tens of tokens, and padding at the end of the first row. */
    private Positions documents(int batch, int length) {
        return CudaCase.documents(manager, batch, length, 30);
    }

    private void check(String what, Case given, double tolerance) {
        NDArray[] actual = given.run(device).toArray();
        double[][] expected = given.expected().toArray();
        for (int i = 0; i < actual.length; i++) {
            if (given.inputs[i] == null) {
                assertThat(actual[i]).isNull();
            } else {
                NDArray wanted =
                        ScanOracle.tensor(manager, expected[i], given.inputs[i].getShape());
                NDArray wide = Torch.cast(actual[i], ScalarType.FLOAT32);
                Tensors.assertClose(what + " " + NAMES[i], wide, wanted, tolerance);
            }
        }
        NDArray[] again = given.run(device).toArray();
        for (int i = 0; i < actual.length; i++) {
            if (actual[i] != null) {
                assertThat(floats(again[i])).as(what + " again").isEqualTo(floats(actual[i]));
            }
        }
    }

    private static float[] floats(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32).toFloatArray();
    }

    /** Leaves NaN in the memory that PyTorch hands out next. */
    private void poison(long... shape) {
        for (int i = 0; i < 8; i++) {
            manager.full(new Shape(shape), Float.NaN).close();
        }
    }

    /** Below, at and above a chunk; dimensions that fill tiles and vectors or do not. */
    @ParameterizedTest
    @CsvSource({
        "2, 1, 1, 16, 16",
        "5, 1, 2, 3, 5",
        "63, 2, 2, 32, 24",
        "64, 1, 1, 20, 40",
        "65, 2, 4, 21, 37",
        "200, 1, 3, 64, 64",
        "130, 1, 1, 128, 128",
        "129, 1, 2, 100, 72",
        "100, 1, 1, 256, 144"
    })
    void followTheRecurrence(int length, int heads, int valueHeads, int keyDim, int valueDim) {
        Positions plain = Positions.range(manager, 2, length, 5);
        Positions cut = documents(2, length);
        for (Positions positions : new Positions[] {plain, cut}) {
            for (boolean corrects : new boolean[] {true, false}) {
                for (boolean decays : new boolean[] {true, false}) {
                    NDArray gates = decays ? mildDecays(positions, valueHeads) : null;
                    for (ScalarType type : types()) {
                        poison(2, length, valueHeads, valueDim);
                        Case given =
                                random(
                                        type,
                                        corrects,
                                        gates,
                                        positions,
                                        heads,
                                        valueHeads,
                                        keyDim,
                                        valueDim);
                        String what =
                                type
                                        + (corrects ? " beta" : "")
                                        + (decays ? " g" : "")
                                        + (positions == cut ? " documents" : "");
                        check(what, given, type == ScalarType.FLOAT32 ? EXACT : ROUNDED);
                    }
                }
            }
        }
    }

    private static ScalarType[] types() {
        return new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16};
    }

    /** Nothing kept, all kept, and what sums of large and small gates leave of the small ones. */
    @ParameterizedTest
    @ValueSource(floats = {-1e30f, -1e4f, -100, -20})
    void extremeDecaysAreAsGoodAsAny(float least) {
        Positions positions = Positions.range(manager, 1, 200, 3);
        Random random = new Random(1);
        float[] gates = new float[400];
        for (int i = 0; i < gates.length; i++) {
            gates[i] = random.nextInt(4) == 0 ? least : -0.01f * random.nextFloat();
        }
        NDArray decays = manager.create(gates, new Shape(1, 200, 2));
        check("fp32", random(ScalarType.FLOAT32, true, decays, positions, 1, 2, 32, 32), EXACT);
        check("bf16", random(ScalarType.BFLOAT16, true, decays, positions, 1, 2, 32, 32), ROUNDED);
    }

    /** A token that corrects nothing could still have corrected something. */
    @Test
    void strengthsOfZeroHaveGradients() {
        Positions positions = Positions.range(manager, 1, 100, 3);
        Case given =
                random(ScalarType.FLOAT32, true, mildDecays(positions, 1), positions, 1, 1, 16, 16);
        float[] strengths = given.inputs[3].toFloatArray();
        for (int i = 0; i < strengths.length; i += 3) {
            strengths[i] = i % 2 == 0 ? 0 : 1e-38f;
        }
        given.inputs[3] = manager.create(strengths, new Shape(1, 100, 1));
        check("zeros", given, EXACT);
    }

    @Test
    void paddingHasNone() {
        Positions positions = documents(2, 150);
        Case given =
                random(ScalarType.FLOAT32, true, mildDecays(positions, 2), positions, 1, 2, 16, 16);
        NDArray padding = positions.real().sub(Scalars.of(1)).neg(); // [B, T]
        DeltaRuleBackwardKernel.Gradients gradients = given.run(device);
        for (NDArray gradient : Arrays.asList(gradients.q(), gradients.k(), gradients.v())) {
            NDArray there = gradient.mul(padding.expandDims(2).expandDims(3));
            assertThat(there.abs().max().getFloat()).isZero();
        }
        for (NDArray gradient : Arrays.asList(gradients.beta(), gradients.logDecay())) {
            assertThat(gradient.mul(padding.expandDims(2)).abs().max().getFloat()).isZero();
        }
    }

    /** Parts of a wider tensor, of rows that are aligned and that are not. */
    @ParameterizedTest
    @ValueSource(ints = {16, 17})
    void viewsAreReadWhereTheyLie(int size) {
        Positions positions = Positions.range(manager, 2, 70, 3);
        NDArray decays = mildDecays(positions, 2);
        Case given = random(ScalarType.FLOAT32, true, decays, positions, 2, 2, size, size);
        NDArray[] views = given.inputs.clone();
        NDArray wide = views[0].concat(views[1], 3).concat(views[2], 3);
        for (int i = 0; i < 3; i++) {
            views[i] = Aten.narrow(wide, 3, (long) i * size, size);
        }
        Case viewed =
                new Case(given.sizes, views, given.scale, positions, given.values, given.lastState);
        NDArray[] expected = given.run(device).toArray();
        NDArray[] actual = viewed.run(device).toArray();
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i].toFloatArray()).as(NAMES[i]).isEqualTo(expected[i].toFloatArray());
        }
    }

    @Test
    void absentGradientsAreZero() {
        Positions positions = Positions.range(manager, 1, 70, 3);
        NDArray decays = mildDecays(positions, 1);
        Case given = random(ScalarType.FLOAT32, true, decays, positions, 1, 1, 16, 16);
        Case zeros =
                new Case(
                        given.sizes,
                        given.inputs,
                        given.scale,
                        positions,
                        given.values,
                        given.lastState.zerosLike());
        Case absent =
                new Case(given.sizes, given.inputs, given.scale, positions, given.values, null);
        assertThat(absent.run(device).k().toFloatArray())
                .isEqualTo(zeros.run(device).k().toFloatArray());
        Case stateOnly =
                new Case(given.sizes, given.inputs, given.scale, positions, null, given.lastState);
        assertThat(stateOnly.run(device).q().abs().max().getFloat()).isZero();
    }

    /** A tape takes gradients through the rule; without it, autograd goes through the blocks. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theRuleTrainsThroughThem(boolean cut) {
        int length = 150;
        Positions positions = cut ? documents(2, length) : Positions.range(manager, 2, length, 4);
        NDArray decays = mildDecays(positions, 4);
        Case given = random(ScalarType.FLOAT32, true, decays, positions, 2, 4, 32, 24);
        NDArray real = positions.real().expandDims(2).expandDims(3);
        float[][] portable = Kernels.without(() -> trained(given, real));
        float[][] fused = trained(given, real);
        for (int i = 0; i < fused.length; i++) {
            Shape shape = given.inputs[i].getShape();
            // The portable form sums gates in fp32: its own error.
            Tensors.assertClose(
                    NAMES[i],
                    manager.create(fused[i], shape),
                    manager.create(portable[i], shape),
                    2e-5);
        }
        assertThat(fused[1]).isNotEqualTo(portable[1]);
    }

    private float[][] trained(Case given, NDArray real) {
        NDArray[] inputs =
                Arrays.stream(given.inputs).map(NDArray::duplicate).toArray(NDArray[]::new);
        try (Tape tape = Tape.open(false)) {
            return GradientMode.on(
                    () -> {
                        for (NDArray input : inputs) {
                            input.setRequiresGradient(true);
                        }
                        DeltaRule.Output output =
                                DeltaRule.apply(
                                        inputs[0],
                                        inputs[1],
                                        inputs[2],
                                        inputs[3],
                                        inputs[4],
                                        given.scale,
                                        inputs[5],
                                        given.positions);
                        NDArray loss =
                                output.values()
                                        .mul(given.values.mul(real))
                                        .sum()
                                        .add(output.state().mul(given.lastState).sum());
                        tape.backward(loss, manager.ones(loss.getShape()));
                        return Arrays.stream(inputs)
                                .map(input -> input.getGradient().toFloatArray())
                                .toArray(float[][]::new);
                    });
        }
    }
}
