package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.rule.GatedLinearRecurrence;
import dev.recurrent.blocks.rule.GatedLinearRecurrence.Gate;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The values; gradients are compared to upstream's where the unit is tested. */
class GatedLinearRecurrenceTest {

    /** Some ten fp32 operations deep. */
    private static final double TOLERANCE = 2e-6;

    private static final int B = 2;
    private static final int T = 6;
    private static final int BLOCKS = 3;
    private static final int SIZE = 2;
    private static final int E = BLOCKS * SIZE;

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @Test
    void followsItsDefinition() {
        long[] positions = {3, 4, 5, 0, 1, 2, 0, 1, 2, 3, -1, -1};
        NDArray u = Tensors.normal(manager, 1, B, T, E);
        Gate input = gate(2);
        Gate recurrent = gate(4);
        NDArray lambda = Tensors.normal(manager, 6, E);
        NDArray state = Tensors.normal(manager, 7, B, E);
        double[] rates = ScanOracle.doubles(lambda);
        double[] decays = new double[B * T * E];
        double[] inputs = ScanOracle.doubles(u);
        for (int at = 0; at < inputs.length; at++) {
            double rate = 8 * Math.log1p(Math.exp(rates[at % E]));
            decays[at] = Math.exp(-rate * value(recurrent, at));
            double scale = positions[at / E] == 0 ? 1 : Math.sqrt(1 - decays[at] * decays[at]);
            inputs[at] *= scale * value(input, at);
        }
        ScanOracle.Result expected =
                ScanOracle.recurrence(inputs, decays, ScanOracle.doubles(state), positions, B);
        Positions marks = Positions.of(manager, B, T, positions);
        GatedLinearRecurrence.Output output =
                GatedLinearRecurrence.apply(u, input, recurrent, lambda, state, marks);
        Tensors.assertClose(
                "h",
                output.values().mul(marks.real().expandDims(2)),
                ScanOracle.tensor(manager, expected.values(), u.getShape()),
                TOLERANCE);
        Tensors.assertClose(
                "state",
                output.state(),
                ScanOracle.tensor(manager, expected.state(), new Shape(B, E)),
                TOLERANCE);
    }

    private Gate gate(int seed) {
        return new Gate(
                Tensors.normal(manager, seed, BLOCKS, B * T, SIZE),
                Tensors.normal(manager, seed + 1, BLOCKS, SIZE));
    }

    private static double value(Gate gate, int at) {
        int channel = at % E;
        int block = channel / SIZE;
        double product =
                ScanOracle.doubles(gate.product())[
                        (block * B * T + at / E) * SIZE + channel % SIZE];
        return 1 / (1 + Math.exp(-product - ScanOracle.doubles(gate.bias())[channel]));
    }

    @Test
    void valuesAreOfTheInputsType() {
        NDArray u = Torch.cast(Tensors.normal(manager, 1, B, T, E), ScalarType.BFLOAT16);
        GatedLinearRecurrence.Output output =
                GatedLinearRecurrence.apply(
                        u,
                        gate(2),
                        gate(4),
                        Tensors.normal(manager, 6, E),
                        null,
                        Positions.range(manager, B, T, 0));
        assertThat(Torch.typeOf(output.values())).isEqualTo(ScalarType.BFLOAT16);
        assertThat(Torch.typeOf(output.state())).isEqualTo(ScalarType.FLOAT32);
    }

    @Test
    void refusesShapesThatDoNotFit() {
        NDArray u = Tensors.normal(manager, 1, B, T, E);
        NDArray lambda = Tensors.normal(manager, 6, E);
        Gate gate = gate(2);
        Gate other = new Gate(Tensors.normal(manager, 3, BLOCKS, T, SIZE), gate.bias());
        Positions positions = Positions.range(manager, B, T, 0);
        assertThatThrownBy(
                        () -> GatedLinearRecurrence.apply(u, gate, other, lambda, null, positions))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(3, 6, 2) must be [blocks, B·T, E / blocks]");
        Positions longer = Positions.range(manager, B, T + 1, 0);
        assertThatThrownBy(() -> GatedLinearRecurrence.apply(u, gate, gate, lambda, null, longer))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("T = 7");
    }
}
