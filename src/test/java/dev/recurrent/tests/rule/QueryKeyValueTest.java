package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.QueryKeyValue;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class QueryKeyValueTest {

    /** Sums of a few products, an exponential and a root in fp32. */
    private static final double TOLERANCE = 2e-6;

    private static final QueryKeyValue.Heads HEADS = new QueryKeyValue.Heads(2, 3, 4, 5);
    private static final int C = 32;

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
        NDArray x = Tensors.normal(manager, 1, 2, 6, C);
        NDArray weight = Tensors.normal(manager, 2, C, 1, 4);
        NDArray bias = Tensors.normal(manager, 3, C);
        NDArray state = Tensors.normal(manager, 4, 2, 3, C);
        QueryKeyValue.Output output =
                QueryKeyValue.apply(
                        x, weight, bias, state, Positions.of(manager, 2, 6, positions), HEADS);
        ScanOracle.Result convolved =
                ScanOracle.convolution(
                        ScanOracle.doubles(x),
                        ScanOracle.doubles(weight),
                        ScanOracle.doubles(bias),
                        ScanOracle.doubles(state),
                        positions,
                        2,
                        4);
        double[] active = convolved.values();
        for (int i = 0; i < active.length; i++) {
            active[i] /= 1 + Math.exp(-active[i]);
        }
        close(output.queries(), part(active, positions, 0, 2, 3, true), 2, 3);
        close(output.keys(), part(active, positions, 6, 2, 3, true), 2, 3);
        close(output.values(), part(active, positions, 12, 4, 5, false), 4, 5);
        NDArray after = ScanOracle.tensor(manager, convolved.state(), new Shape(2, 3, C));
        Tensors.assertClose("state", output.state(), after, 0);
    }

    /** Heads of the channels from {@code first} on, divided by their length if wanted. */
    private static double[] part(
            double[] active, long[] positions, int first, int heads, int size, boolean normal) {
        double[] part = new double[positions.length * heads * size];
        for (int token = 0; token < positions.length; token++) {
            for (int head = 0; head < heads; head++) {
                double squares = 1e-6;
                for (int i = 0; i < size; i++) {
                    squares += Math.pow(active[token * C + first + head * size + i], 2);
                }
                for (int i = 0; i < size; i++) {
                    double value = active[token * C + first + head * size + i];
                    part[(token * heads + head) * size + i] =
                            normal ? value / Math.sqrt(squares) : value;
                }
            }
        }
        return part;
    }

    private void close(NDArray actual, double[] expected, long heads, long size) {
        // The last two tokens are padding.
        NDArray wanted = ScanOracle.tensor(manager, expected, new Shape(2, 6, heads, size));
        assertThat(actual.getShape()).isEqualTo(wanted.getShape());
        for (String real : new String[] {"0", "1, :4"}) {
            Tensors.assertClose(real, actual.get(real), wanted.get(real), TOLERANCE);
        }
    }

    @Test
    void keepsBfloat16() {
        NDArray x = Torch.cast(Tensors.normal(manager, 1, 1, 5, C), ScalarType.BFLOAT16);
        QueryKeyValue.Output output =
                QueryKeyValue.apply(
                        x,
                        Tensors.normal(manager, 2, C, 1, 4),
                        null,
                        null,
                        Positions.range(manager, 1, 5, 0),
                        HEADS);
        for (NDArray array :
                new NDArray[] {output.queries(), output.keys(), output.values(), output.state()}) {
            assertThat(Torch.typeOf(array)).isEqualTo(ScalarType.BFLOAT16);
        }
    }

    @Test
    void refusesChannelsThatAreNotTheHeads() {
        NDArray x = Tensors.normal(manager, 1, 1, 5, C);
        NDArray weight = Tensors.normal(manager, 2, C, 1, 4);
        Positions positions = Positions.range(manager, 1, 5, 0);
        QueryKeyValue.Heads heads = new QueryKeyValue.Heads(2, 3, 4, 4);
        assertThatThrownBy(() -> QueryKeyValue.apply(x, weight, null, null, positions, heads))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("channels of Heads[heads=2, keyDim=3");
    }
}
