package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.ShortConvolution;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShortConvolutionTest {

    /** Sums of at most five products of normal values: a few units in the last place. */
    private static final double TOLERANCE = 1e-6;

    private static final int C = 5;

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @ParameterizedTest
    @CsvSource({
        "1,1,0,4", "1,7,0,4", "2,3,0,4", "2,2,0,4", "2,9,5,4", "3,1,8,4", "2,2,9,4", "1,6,0,1",
        "2,1,3,1", "2,5,3,2", "2,8,4,5"
    })
    void matchesTheDefinitionOnPlainRows(int batch, int length, long start, int taps) {
        Positions positions = Positions.range(manager, batch, length, start);
        compare(positions, taps, start > 0, true);
        compare(positions, taps, start > 0, false);
    }

    @Test
    void documentsInsideARowSeeOnlyThemselves() {
        long[] packed = {0, 1, 0, 1, 2, 3, 0, 0, 4, 5, 6, 7, 8, 0, 1, 2};
        compare(Positions.of(manager, 2, 8, packed), 4, true, true);
        compare(Positions.of(manager, 2, 8, packed), 4, false, false);
    }

    @Test
    void paddingLeavesTheStateOfTheLastRealTokens() {
        long[] padded = {3, 4, 5, -1, -1, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, 9, 0, 1, 2, 3};
        compare(Positions.of(manager, 4, 5, padded), 4, true, true);
    }

    @Test
    void singleTokensMayStartContinueAndPadInOneBatch() {
        compare(Positions.of(manager, 3, 1, new long[] {0, 17, -1}), 4, true, true);
    }

    @Test
    void statesOfPiecesContinueExactly() {
        long[] packed = {0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3};
        NDArray x = Tensors.normal(manager, 1, 1, 12, C);
        NDArray weight = Tensors.normal(manager, 2, C, 1, 4);
        NDArray whole =
                ShortConvolution.apply(x, weight, null, null, Positions.of(manager, 1, 12, packed))
                        .values();
        for (int first = 1; first < 12; first++) {
            NDArray state = null;
            int[] cuts = {0, first, Math.min(12, first + 1), 12};
            for (int i = 0; i + 1 < cuts.length && cuts[i] < 12; i++) {
                int length = cuts[i + 1] - cuts[i];
                long[] part = Arrays.copyOfRange(packed, cuts[i], cuts[i + 1]);
                String columns = ":, " + cuts[i] + ":" + cuts[i + 1];
                ShortConvolution.Output output =
                        ShortConvolution.apply(
                                x.get(columns),
                                weight,
                                null,
                                state,
                                Positions.of(manager, 1, length, part));
                Tensors.assertClose(columns, output.values(), whole.get(columns), TOLERANCE);
                state = output.state();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"5,0,0", "5,6,0", "1,6,0", "2,0,0", "5,6,2"})
    void gradientsReachEveryInput(int length, long start, int reset) {
        long[] values = new long[length];
        for (int t = 0; t < length; t++) {
            values[t] = reset > 0 && t >= reset ? t - reset : start + t;
        }
        Positions positions = Positions.of(manager, 1, length, values);
        NDArray[] inputs = {
            Tensors.normal(manager, 1, 1, length, C),
            Tensors.normal(manager, 2, C, 1, 4),
            Tensors.normal(manager, 3, C),
            Tensors.normal(manager, 4, 1, 3, C)
        };
        NDArray dy = Tensors.normal(manager, 5, 1, length, C);
        NDArray ds = Tensors.normal(manager, 6, 1, 3, C);
        for (NDArray input : inputs) {
            input.setRequiresGradient(true);
        }
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            ShortConvolution.Output output =
                    ShortConvolution.apply(inputs[0], inputs[1], inputs[2], inputs[3], positions);
            collector.backward(output.values().mul(dy).sum().add(output.state().mul(ds).sum()));
        }
        for (int i = 0; i < inputs.length; i++) {
            NDArray gradient = inputs[i].getGradient();
            double[][] point = new double[4][];
            for (int j = 0; j < 4; j++) {
                point[j] = ScanOracle.doubles(inputs[j]);
            }
            double[] expected = new double[point[i].length];
            for (int n = 0; n < expected.length; n++) {
                double kept = point[i][n];
                point[i][n] = kept + 0.5;
                double above = loss(point, values, dy, ds);
                point[i][n] = kept - 0.5;
                // Linear in each argument, so that differences are exact at any step.
                expected[n] = above - loss(point, values, dy, ds);
                point[i][n] = kept;
            }
            NDArray wanted = ScanOracle.tensor(manager, expected, inputs[i].getShape());
            if (i == 3 && start == 0) {
                assertThat(gradient.abs().max().getFloat()).isZero();
            } else {
                Tensors.assertClose("input " + i, gradient, wanted, TOLERANCE);
            }
        }
    }

    private static double loss(double[][] point, long[] positions, NDArray dy, NDArray ds) {
        ScanOracle.Result result =
                ScanOracle.convolution(point[0], point[1], point[2], point[3], positions, 1, 4);
        return dot(result.values(), dy) + dot(result.state(), ds);
    }

    private static double dot(double[] values, NDArray weights) {
        double[] w = ScanOracle.doubles(weights);
        double sum = 0;
        for (int i = 0; i < w.length; i++) {
            sum += w[i] * values[i];
        }
        return sum;
    }

    @Test
    void keepsBfloat16() {
        NDArray x = Torch.cast(Tensors.normal(manager, 1, 2, 6, C), ScalarType.BFLOAT16);
        NDArray weight = Torch.cast(Tensors.normal(manager, 2, C, 1, 4), ScalarType.BFLOAT16);
        long[] packed = {0, 1, 2, 0, 1, 2, 4, 5, 6, 7, -1, -1};
        for (Positions positions :
                new Positions[] {
                    Positions.range(manager, 2, 6, 0), Positions.of(manager, 2, 6, packed)
                }) {
            ShortConvolution.Output output =
                    ShortConvolution.apply(x, weight, null, null, positions);
            assertThat(Torch.typeOf(output.values())).isEqualTo(ScalarType.BFLOAT16);
            assertThat(Torch.typeOf(output.state())).isEqualTo(ScalarType.BFLOAT16);
        }
    }

    @Test
    void siluFollows() {
        NDArray x = Tensors.normal(manager, 1, 2, 6, C);
        NDArray weight = Tensors.normal(manager, 2, C, 1, 4);
        Positions positions =
                Positions.of(manager, 2, 6, new long[] {0, 1, 2, 0, 1, 2, 4, 5, 6, 7, 8, 9});
        NDArray y = ShortConvolution.apply(x, weight, null, null, positions).values();
        NDArray active = ShortConvolution.apply(x, weight, null, null, positions, true).values();
        Tensors.assertClose("silu", active, y.div(y.neg().exp().add(1)), TOLERANCE);
    }

    /** Masters stay float32 while activations are narrower. */
    @Test
    void parametersMayBeWider() {
        NDArray x = Torch.cast(Tensors.normal(manager, 1, 2, 6, C), ScalarType.BFLOAT16);
        NDArray weight = Tensors.normal(manager, 2, C, 1, 4);
        NDArray bias = Tensors.normal(manager, 3, C);
        NDArray wide = Torch.cast(x, ScalarType.FLOAT32);
        for (long start : new long[] {0, 3}) {
            Positions positions = Positions.range(manager, 2, 6, start);
            NDArray state = start == 0 ? null : Tensors.normal(manager, 4, 2, 3, C);
            ShortConvolution.Output output =
                    ShortConvolution.apply(x, weight, bias, state, positions);
            assertThat(Torch.typeOf(output.state())).isEqualTo(ScalarType.BFLOAT16);
            Tensors.assertClose(
                    "values",
                    Torch.cast(output.values(), ScalarType.FLOAT32),
                    ShortConvolution.apply(wide, weight, bias, state, positions).values(),
                    // Weights, sums and values each rounded to bf16's eight bits.
                    2e-2);
        }
    }

    @Test
    void resultsLiveWithTheInput() {
        try (NDManager model = manager.newSubManager();
                NDManager pass = manager.newSubManager();
                NDManager earlier = manager.newSubManager()) {
            NDArray weight = Tensors.normal(model, 1, C, 1, 4);
            NDArray bias = Tensors.normal(model, 2, C);
            NDArray state = Tensors.normal(earlier, 3, 2, 3, C);
            model.cap();
            int before = earlier.getManagedArrays().size();
            for (int length : new int[] {1, 2, 6}) {
                NDArray x = Tensors.normal(pass, 4, 2, length, C);
                Positions positions = Positions.range(pass, 2, length, 4);
                ShortConvolution.Output output =
                        ShortConvolution.apply(x, weight, bias, state, positions);
                assertThat(output.values().getManager()).isSameAs(pass);
                assertThat(output.state().getManager()).isSameAs(pass);
            }
            assertThat(earlier.getManagedArrays()).hasSize(before);
        }
    }

    @Test
    void refusesShapesThatDoNotFit() {
        NDArray x = Tensors.normal(manager, 1, 2, 6, C);
        NDArray weight = Tensors.normal(manager, 2, C, 1, 4);
        Positions positions = Positions.range(manager, 2, 6, 0);
        assertThatThrownBy(() -> ShortConvolution.apply(x, weight.get("1:"), null, null, positions))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(4, 1, 4) must be [C, 1, W] with C = 5");
        assertThatThrownBy(
                        () ->
                                ShortConvolution.apply(
                                        x, weight, null, x, Positions.range(manager, 2, 6, 1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("state (2, 6, 5) must be");
        assertThatThrownBy(
                        () ->
                                ShortConvolution.apply(
                                        x, weight, null, null, Positions.range(manager, 2, 5, 1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("T = 5");
    }

    private void compare(Positions positions, int taps, boolean continues, boolean biased) {
        int batch = (int) positions.batch();
        NDArray x = Tensors.normal(manager, 1, batch, positions.length(), C);
        NDArray weight = Tensors.normal(manager, 2, C, 1, taps);
        NDArray bias = biased ? Tensors.normal(manager, 3, C) : null;
        NDArray state =
                continues && taps > 1 ? Tensors.normal(manager, 4, batch, taps - 1, C) : null;
        ShortConvolution.Output output = ShortConvolution.apply(x, weight, bias, state, positions);
        ScanOracle.Result expected =
                ScanOracle.convolution(
                        ScanOracle.doubles(x),
                        ScanOracle.doubles(weight),
                        ScanOracle.doubles(bias),
                        ScanOracle.doubles(state),
                        positions.array().toLongArray(),
                        batch,
                        taps);
        NDArray real = positions.real().expandDims(2);
        Tensors.assertClose(
                "values",
                output.values().mul(real),
                ScanOracle.tensor(manager, expected.values(), x.getShape()),
                TOLERANCE);
        Shape memory = new Shape(batch, taps - 1, C);
        assertThat(output.state().getShape()).isEqualTo(memory);
        if (taps > 1) {
            Tensors.assertClose(
                    "state",
                    output.state(),
                    ScanOracle.tensor(manager, expected.state(), memory),
                    0);
        }
    }
}
