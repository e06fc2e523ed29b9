package dev.recurrent.tests.torch;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ConvertedWeights;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Operators beside their definitions in double precision. */
class AtenTest {

    /** A few fp32 roundings, of values and of arguments up to 100. */
    private static final double TOLERANCE = 2e-6;

    /** A central difference in double precision: h² · f''' / 6 and 1e-16 · f / h. */
    private static final double STEP = 1e-5;

    private static final float[] POINTS = {
        -100, -30, -9, -3.5f, -1, -0.1f, -1e-3f, 1e-3f, 0.1f, 0.7f, 1, 3.5f, 9, 30, 100
    };

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager(Device.cpu());
    }

    @AfterEach
    void close() {
        manager.close();
    }

    enum Function {
        SILU(Aten::silu, x -> x / (1 + Math.exp(-x))),
        SIGMOID(Aten::sigmoid, x -> 1 / (1 + Math.exp(-x))),
        RELU(Aten::relu, x -> Math.max(x, 0)),
        SOFTPLUS(Aten::softplus, x -> Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
        ELU_PLUS_ONE(Aten::eluPlusOne, x -> x < 0 ? Math.exp(x) : x + 1),
        GELU_TANH(
                Aten::geluTanh,
                x -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)))),
        RSQRT_OF_SQUARE(x -> Aten.rsqrt(x.mul(x)), x -> 1 / Math.abs(x));

        final UnaryOperator<NDArray> operator;
        final DoubleUnaryOperator definition;

        Function(UnaryOperator<NDArray> operator, DoubleUnaryOperator definition) {
            this.operator = operator;
            this.definition = definition;
        }

        double slope(double x) {
            // Small beside x, whose neighbourhood of zero some of the functions bend sharply in.
            double h = STEP * Math.min(1, Math.abs(x));
            return (definition.applyAsDouble(x + h) - definition.applyAsDouble(x - h)) / (2 * h);
        }
    }

    @ParameterizedTest
    @EnumSource
    void valuesAndGradientsAreTheDefinitions(Function function) {
        NDArray x = manager.create(POINTS);
        x.setRequiresGradient(true);
        NDArray y;
        try (GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
            y = function.operator.apply(x);
            collector.backward(y.sum());
        }
        float[] values = y.toFloatArray();
        float[] slopes = x.getGradient().toFloatArray();
        for (int i = 0; i < POINTS.length; i++) {
            double point = POINTS[i];
            assertNear("f(" + point + ")", values[i], function.definition.applyAsDouble(point));
            assertNear("f'(" + point + ")", slopes[i], function.slope(point));
        }
    }

    private static void assertNear(String what, double actual, double expected) {
        double scale = Math.max(1, Math.abs(expected));
        assertThat(actual).as(what).isCloseTo(expected, Offset.offset(TOLERANCE * scale));
    }

    @Test
    void narrowIsAView() {
        NDArray x = manager.arange(12f).reshape(2, 3, 2);
        NDArray part = Aten.narrow(x, 1, 1, 2);
        assertThat(part.getShape()).isEqualTo(new Shape(2, 2, 2));
        assertThat(part.toFloatArray()).containsExactly(2, 3, 4, 5, 8, 9, 10, 11);
        assertThat(TensorMemory.address(part)).isEqualTo(TensorMemory.address(x) + 2 * Float.BYTES);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void concatKeepsTheGraph(int parts) {
        NDArray x = manager.create(new float[] {1, 2});
        x.setRequiresGradient(true);
        try (GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
            NDList squares = new NDList();
            for (int i = 0; i < parts; i++) {
                squares.add(x.mul(x));
            }
            NDArray all = Aten.concat(squares, 0);
            assertThat(all.getShape()).isEqualTo(new Shape(2L * parts));
            collector.backward(all.sum());
        }
        assertThat(x.getGradient().toFloatArray()).containsExactly(2f * parts, 4f * parts);
    }

    @Test
    void zerosAreOfAnyType() {
        NDArray zeros = Aten.zeros(manager, new Shape(3), ScalarType.BFLOAT16, Device.cpu());
        assertThat(Torch.typeOf(zeros)).isEqualTo(ScalarType.BFLOAT16);
        assertThat(Torch.cast(zeros, ScalarType.FLOAT32).toFloatArray()).containsExactly(0, 0, 0);
    }

    @Test
    void embeddingLooksRowsUp() {
        NDArray table = manager.arange(6f).reshape(3, 2);
        NDArray ids = manager.create(new long[][] {{2, 0}});
        NDArray rows = Aten.embedding(manager, table, ids);
        assertThat(rows.getShape()).isEqualTo(new Shape(1, 2, 2));
        assertThat(rows.toFloatArray()).containsExactly(4, 5, 0, 1);
    }

    /** Small whole numbers, with which every step is exact; 9 stands where nothing is read. */
    @Test
    void solvesUnitLowerSystems() {
        NDArray lower = manager.create(new float[] {9, 9, 9, 2, 9, 9, -1, 3, 9}, new Shape(3, 3));
        NDArray right = manager.create(new float[] {1, 4, 7}, new Shape(3, 1));
        assertThat(Aten.solveUnitLower(lower, right).toFloatArray()).containsExactly(1, 2, 2);
    }

    /** Keys (0) and (1) and the query (ln 3) at scale 1 weigh 1 : 3. */
    @Test
    void attentionWeighsValues() {
        Shape shape = new Shape(1, 1, 2, 1);
        float log3 = (float) Math.log(3);
        NDArray q = manager.create(new float[] {2 * log3, 2 * log3}, shape);
        NDArray k = manager.create(new float[] {0, 1}, shape);
        NDArray v = manager.create(new float[] {8, 4}, shape);
        NDArray mask =
                manager.create(new boolean[] {true, true, false, true}, new Shape(1, 1, 2, 2));
        Offset<Float> rounding = Offset.offset(1e-6f * 8);
        assertThat(Aten.attention(q, k, v, null, false, 0.5).toFloatArray())
                .containsExactly(new float[] {5, 5}, rounding);
        assertThat(Aten.attention(q, k, v, null, true, 0.5).toFloatArray())
                .containsExactly(new float[] {8, 5}, rounding);
        assertThat(Aten.attention(q, k, v, mask, false, 0.5).toFloatArray())
                .containsExactly(new float[] {5, 4}, rounding);
    }

    /** Where weights are kept in bfloat16, a product converts its own once. */
    @Test
    void aProductsWeightIsConvertedOnce() {
        NDArray x = Tensors.normal(manager, 1, 2, 3, 4);
        NDArray weight = Tensors.normal(manager, 2, 2, 4, 5);
        try (ConvertedWeights weights = new ConvertedWeights(MatrixPrecision.BFLOAT16, manager)) {
            NDArray kept = weights.during(() -> Aten.productWeight(manager, x, weight));
            assertThat(Torch.typeOf(kept)).isEqualTo(ScalarType.BFLOAT16);
            assertThat(weights.during(() -> Aten.productWeight(manager, x, weight))).isSameAs(kept);
            NDArray product = weights.during(() -> Aten.product(x, weight));
            assertThat(Torch.typeOf(product)).isEqualTo(ScalarType.BFLOAT16);
        }
        assertThat(Aten.productWeight(manager, x, weight)).isSameAs(weight);
        NDArray narrow = Torch.cast(x, ScalarType.BFLOAT16);
        assertThat(Torch.typeOf(Aten.product(narrow, weight))).isEqualTo(ScalarType.BFLOAT16);
    }
}
