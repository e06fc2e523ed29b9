package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.rule.LinearRecurrence;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LinearRecurrenceTest {

    /** Rounding of fp32 along paths whose decays shorten them to some tens of steps. */
    private static final double TOLERANCE = 2e-6;

    private static final int E = 3;
    private static final int B = 2;

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
    @ValueSource(ints = {1, 2, 15, 16, 17, 32, 63, 256, 257, 300, 4097})
    void followsTheRecurrenceAtEveryLength(int length) {
        check(Positions.range(manager, B, length, 0), false);
        check(Positions.range(manager, B, length, 3), true);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 16, 40, 290})
    void cutsDocumentsAndSkipsPadding(int length) {
        Random random = new Random(length);
        long[] positions = new long[B * length];
        for (int row = 0; row < B; row++) {
            int real = row == 0 ? Math.max(1, length - length / 3) : length;
            long position = 7L * row;
            for (int t = 0; t < length; t++) {
                position = random.nextInt(9) == 0 ? 0 : position;
                positions[row * length + t] = t < real ? position++ : Positions.PADDING;
            }
        }
        check(Positions.of(manager, B, length, positions), true);
        check(Positions.of(manager, B, length, positions), false);
    }

    @Test
    void aRowOfPaddingKeepsItsState() {
        check(Positions.of(manager, B, 3, new long[] {-1, -1, -1, 8, 9, -1}), true);
    }

    /** Decays of exactly 0 and 1 are as good as any other. */
    private NDArray decays(int length) {
        Random random = new Random(7);
        float[] values = new float[B * length * E];
        for (int i = 0; i < values.length; i++) {
            int kind = random.nextInt(20);
            values[i] = kind == 0 ? 0 : kind == 1 ? 1 : 0.5f + random.nextFloat() / 2;
        }
        return manager.create(values, new Shape(B, length, E));
    }

    private void check(Positions positions, boolean continues) {
        int length = (int) positions.length();
        NDArray x = Tensors.normal(manager, 1, B, length, E);
        NDArray decay = decays(length);
        NDArray state = continues ? Tensors.normal(manager, 2, B, E) : null;
        NDArray dy = Tensors.normal(manager, 3, B, length, E).mul(positions.real().expandDims(2));
        NDArray ds = Tensors.normal(manager, 4, B, E);
        long[] values = positions.array().toLongArray();
        ScanOracle.Result expected =
                ScanOracle.recurrence(
                        ScanOracle.doubles(x),
                        ScanOracle.doubles(decay),
                        ScanOracle.doubles(state),
                        values,
                        B);
        double[][] gradients =
                ScanOracle.recurrenceGradients(
                        ScanOracle.doubles(x),
                        ScanOracle.doubles(decay),
                        ScanOracle.doubles(state),
                        values,
                        B,
                        ScanOracle.doubles(dy),
                        ScanOracle.doubles(ds));
        x.setRequiresGradient(true);
        decay.setRequiresGradient(true);
        if (continues) {
            state.setRequiresGradient(true);
        }
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            LinearRecurrence.Output output = LinearRecurrence.apply(x, decay, state, positions);
            NDArray h = output.values().mul(positions.real().expandDims(2));
            close("h", h, expected.values(), x);
            close("state", output.state(), expected.state(), ds);
            collector.backward(output.values().mul(dy).sum().add(output.state().mul(ds).sum()));
        }
        close("dx", x.getGradient(), gradients[0], x);
        close("da", decay.getGradient(), gradients[1], x);
        if (continues) {
            close("dh0", state.getGradient(), gradients[2], ds);
        }
    }

    private void close(String what, NDArray actual, double[] expected, NDArray like) {
        NDArray wanted = ScanOracle.tensor(manager, expected, like.getShape());
        Tensors.assertClose(what, actual, wanted, TOLERANCE);
    }

    @Test
    void halfPrecisionInputsAccumulateInFloat32() {
        NDArray x = Torch.cast(Tensors.normal(manager, 1, 1, 40, E), ScalarType.BFLOAT16);
        NDArray decay = x.mul(x).neg().exp();
        LinearRecurrence.Output output =
                LinearRecurrence.apply(x, decay, null, Positions.range(manager, 1, 40, 0));
        LinearRecurrence.Output wide =
                LinearRecurrence.apply(
                        Torch.cast(x, ScalarType.FLOAT32),
                        Torch.cast(decay, ScalarType.FLOAT32),
                        null,
                        Positions.range(manager, 1, 40, 0));
        assertThat(output.values().getDataType()).isEqualTo(DataType.FLOAT32);
        Tensors.assertClose("values", output.values(), wide.values(), 0);
        Tensors.assertClose("state", output.state(), wide.state(), 0);
    }

    @Test
    void leavesOnlyItsResultsBehind() {
        NDArray x = Tensors.normal(manager, 1, 1, 300, E);
        NDArray decay = Tensors.normal(manager, 2, 1, 300, E);
        int before = manager.getManagedArrays().size();
        try (NDScope scope = new NDScope()) {
            scope.suppressNotUsedWarning();
            LinearRecurrence.Output output =
                    LinearRecurrence.apply(x, decay, null, Positions.range(manager, 1, 300, 0));
            NDScope.unregister(output.state());
        }
        assertThat(manager.getManagedArrays()).hasSize(before + 1);
    }

    @Test
    void refusesShapesThatDoNotFit() {
        NDArray x = Tensors.normal(manager, 1, B, 4, E);
        Positions positions = Positions.range(manager, B, 4, 1);
        assertThatThrownBy(() -> LinearRecurrence.apply(x, x.get(":, :3"), null, positions))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("decay (2, 3, 3) must be of x's shape (2, 4, 3)");
        assertThatThrownBy(() -> LinearRecurrence.apply(x, x, x, positions))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("state (2, 4, 3) must be [B, E] = (2, 3)");
        Positions longer = Positions.range(manager, B, 5, 1);
        assertThatThrownBy(() -> LinearRecurrence.apply(x, x, null, longer))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("T = 5");
    }
}
