package dev.recurrent.tests.rule;

import static dev.recurrent.tests.support.ScanOracle.doubles;
import static dev.recurrent.tests.support.ScanOracle.tensor;
import static dev.recurrent.tests.support.Tensors.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.RotaryEmbedding;
import dev.recurrent.tests.support.AttentionOracle;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RotaryEmbeddingTest {

    /** One rounding each of sine, cosine, product and sum, in fp32. */
    private static final double TOLERANCE = 1e-6;

    @ParameterizedTest
    @CsvSource({"0,1,0", "2,65,0", "4,65,3", "6,2,10000", "10,150,123456"})
    void rotatesTheLeadingPlanes(int rotaryDim, int length, long start) {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray x = Tensors.normal(manager, 1, 2, length, 3, 10);
            Positions positions = Positions.range(manager, 2, length, start);
            double[] expected =
                    AttentionOracle.rotate(
                            doubles(x), positions.array().toLongArray(), 10, rotaryDim, 10_000);
            NDArray rotated = RotaryEmbedding.apply(x, positions, rotaryDim, 10_000);
            assertClose("rotated", rotated, tensor(manager, expected, x.getShape()), TOLERANCE);
        }
    }

    @Test
    void everyTokenTurnsByItsOwnPosition() {
        try (NDManager manager = NDManager.newBaseManager()) {
            long[] values = {7, 8, 0, 1, 0, 1, 2, -1};
            NDArray x = Tensors.normal(manager, 2, 2, 4, 2, 8);
            double[] expected = AttentionOracle.rotate(doubles(x), values, 8, 8, 500);
            NDArray rotated = RotaryEmbedding.apply(x, Positions.of(manager, 2, 4, values), 8, 500);
            assertClose("rotated", rotated, tensor(manager, expected, x.getShape()), TOLERANCE);
        }
    }

    @Test
    void gradientsTurnBack() {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray x = Tensors.normal(manager, 3, 1, 5, 2, 8);
            NDArray upstream = Tensors.normal(manager, 4, 1, 5, 2, 8);
            Positions positions = Positions.range(manager, 1, 5, 11);
            x.setRequiresGradient(true);
            try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
                collector.backward(RotaryEmbedding.apply(x, positions, 6, 100).mul(upstream).sum());
            }
            // A rotation is orthogonal: its transpose undoes it.
            NDArray turned = RotaryEmbedding.apply(x.getGradient(), positions, 6, 100);
            assertClose("gradient", turned, upstream, TOLERANCE);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-2, 3, 10})
    void unfitRotaryDimIsRefused(int rotaryDim) {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray x = manager.zeros(new ai.djl.ndarray.types.Shape(1, 2, 1, 8));
            Positions positions = Positions.range(manager, 1, 2, 0);
            assertThatThrownBy(() -> RotaryEmbedding.apply(x, positions, rotaryDim, 10))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("rotaryDim")
                    .hasMessageContaining("8");
        }
    }

    @Test
    void otherShapesAreRefused() {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray x = manager.zeros(new ai.djl.ndarray.types.Shape(1, 3, 1, 8));
            Positions positions = Positions.range(manager, 1, 2, 0);
            assertThatThrownBy(() -> RotaryEmbedding.apply(x, positions, 4, 10))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("[1, 2, H, K]");
            assertThat(x.isReleased()).isFalse();
        }
    }
}
