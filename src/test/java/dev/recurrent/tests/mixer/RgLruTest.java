package dev.recurrent.tests.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.mixer.RealGatedLru;
import dev.recurrent.blocks.mixer.RgLru;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RgLruTest {

    private NDManager manager;
    private ParameterStore store;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
        manager.getEngine().setRandomSeed(1);
        store = new ParameterStore(manager, false);
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void equalsUpstreamWithAllGradients(boolean training) {
        Map<String, NDArray> expected = Conformance.load(manager, "ops/rg_lru.safetensors");
        NDArray x = expected.get("x");
        RealGatedLru unit = new RealGatedLru(48, 4, Initialization.fanIn(1));
        Map<String, Parameter> parameters = SizedBlock.parametersOf(unit);
        unit.initialize(manager, DataType.FLOAT32, new Shape(1, 1, 48));
        parameters.forEach(
                (name, parameter) -> {
                    expected.get(name).copyTo(parameter.getArray());
                    parameter.getArray().setRequiresGradient(true);
                });
        x.setRequiresGradient(true);
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            NDArray y =
                    unit.forward(store, x, null, Positions.range(manager, 2, 70, 0), training)
                            .values();
            // The tolerance that the conformance cases name.
            Tensors.assertClose("y", y, expected.get("y"), 1e-4);
            collector.backward(y.mul(expected.get("do")).sum());
        }
        Tensors.assertClose("dx", x.getGradient(), expected.get("dx"), 1e-4);
        assertThat(parameters).hasSize(5);
        for (String name : parameters.keySet()) {
            NDArray gradient = parameters.get(name).getArray().getGradient();
            Tensors.assertClose("d_" + name, gradient, expected.get("d_" + name), 1e-4);
        }
    }

    /** The whole block in double precision, over rows that continue, restart and end early. */
    @Test
    void followsItsDefinition() {
        int inner = 6;
        RgLru mixer = new RgLru(3, new RgLruConfig(inner, 2, 4), Initialization.normal(0.7));
        mixer.initialize(manager, DataType.FLOAT32, new Shape(1, 1, 3));
        Map<String, Parameter> parameters = SizedBlock.parametersOf(mixer);
        int seed = 10;
        for (Parameter parameter : parameters.values()) {
            Tensors.normal(manager, seed++, parameter.getShape().getShape())
                    .mul(0.7f)
                    .copyTo(parameter.getArray());
        }
        long[] positions = {0, 1, 2, 3, 4, 5, 6, 0, 1, 0, 0, 1, 2, 3, -1, -1};
        NDArray x = Tensors.normal(manager, 1, 2, 8, 3);
        double[] wanted = expected(ScanOracle.doubles(x), parameters, positions, inner);
        for (boolean training : new boolean[] {true, false}) {
            NDArray y =
                    mixer.forward(store, x, Positions.of(manager, 2, 8, positions), null, training)
                            .y();
            // Some ten fp32 operations deep.
            NDArray tensor = ScanOracle.tensor(manager, wanted, x.getShape());
            Tensors.assertClose("y", y, tensor, 2e-6);
        }
    }

    private static double[] expected(
            double[] x, Map<String, Parameter> parameters, long[] positions, int inner) {
        double[] u = linear(x, 3, parameters, "linear_x");
        u =
                ScanOracle.convolution(
                                u,
                                values(parameters, "conv_1d.weight"),
                                values(parameters, "conv_1d.bias"),
                                null,
                                positions,
                                2,
                                4)
                        .values();
        double[] lambda = values(parameters, "rg_lru.recurrent_param");
        double[] inputs = new double[u.length];
        double[] decays = new double[u.length];
        for (int at = 0; at < u.length; at++) {
            double i = gate(u, at, inner, parameters, "rg_lru.input_gate");
            double r = gate(u, at, inner, parameters, "rg_lru.recurrent_gate");
            decays[at] = Math.exp(-8 * r * Math.log1p(Math.exp(lambda[at % inner])));
            double scale = positions[at / inner] == 0 ? 1 : Math.sqrt(1 - decays[at] * decays[at]);
            inputs[at] = scale * i * u[at];
        }
        double[] h = ScanOracle.recurrence(inputs, decays, null, positions, 2).values();
        double[] y = linear(x, 3, parameters, "linear_y");
        for (int at = 0; at < h.length; at++) {
            double cube = 0.044715 * y[at] * y[at] * y[at];
            h[at] *= y[at] / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (y[at] + cube)));
        }
        double[] out = linear(h, inner, parameters, "linear_out");
        for (int at = 0; at < out.length; at++) {
            out[at] = positions[at / 3] < 0 ? 0 : out[at];
        }
        return out;
    }

    private static double[] values(Map<String, Parameter> parameters, String name) {
        return ScanOracle.doubles(parameters.get(name).getArray());
    }

    private static double[] linear(
            double[] x, int width, Map<String, Parameter> parameters, String name) {
        double[] weight = values(parameters, name + ".weight");
        double[] bias = values(parameters, name + ".bias");
        double[] y = new double[x.length / width * bias.length];
        for (int at = 0; at < y.length; at++) {
            y[at] = bias[at % bias.length];
            for (int i = 0; i < width; i++) {
                y[at] += weight[at % bias.length * width + i] * x[at / bias.length * width + i];
            }
        }
        return y;
    }

    /** σ of the block-diagonal map with two blocks, weights [blocks, in, out]. */
    private static double gate(
            double[] u, int at, int inner, Map<String, Parameter> parameters, String name) {
        double[] weight = values(parameters, name + "_weight");
        int size = inner / 2;
        int block = at % inner / size;
        double sum = values(parameters, name + "_bias")[at % inner];
        for (int i = 0; i < size; i++) {
            int from = at - at % inner + block * size + i;
            sum += u[from] * weight[(block * size + i) * size + at % size];
        }
        return 1 / (1 + Math.exp(-sum));
    }

    /** With r = 0 nothing is forgotten, and the derivative of the root would be infinite. */
    @Test
    void gradientsStayFiniteWhereNothingIsForgotten() {
        RealGatedLru unit = new RealGatedLru(8, 2, Initialization.fanIn(1));
        unit.initialize(manager, DataType.FLOAT32, new Shape(1, 1, 8));
        Map<String, Parameter> parameters = SizedBlock.parametersOf(unit);
        NDArray bias = parameters.get("recurrent_gate_bias").getArray();
        bias.subi(200);
        NDArray x = Tensors.normal(manager, 1, 1, 20, 8);
        x.setRequiresGradient(true);
        parameters.values().forEach(p -> p.getArray().setRequiresGradient(true));
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            Positions positions = Positions.range(manager, 1, 20, 0);
            collector.backward(unit.forward(store, x, null, positions, true).values().sum());
        }
        assertThat(x.getGradient().isNaN().any().getBoolean()).isFalse();
        for (Parameter parameter : parameters.values()) {
            NDArray gradient = parameter.getArray().getGradient();
            assertThat(gradient.abs().max().getFloat()).as(parameter.getName()).isLessThan(1e6f);
        }
    }

    @Test
    void decaysStartOnTheRingOfTheReleasedCode() {
        RealGatedLru unit = new RealGatedLru(4000, 4000, Initialization.fanIn(1));
        unit.initialize(manager, DataType.FLOAT32, new Shape(1, 1, 4000));
        NDArray lambda = unit.getDirectParameters().get("recurrent_param").getArray();
        double[] squares = ScanOracle.doubles(lambda);
        double sum = 0;
        for (int i = 0; i < squares.length; i++) {
            squares[i] = Math.pow(1 + Math.exp(squares[i]), -2);
            sum += squares[i];
        }
        // Λ near its ends is the logarithm of a difference that fp32 knows to 1e-4.
        for (double square : squares) {
            assertThat(square).isBetween(0.81 - 1e-6, 0.998001 + 1e-6);
        }
        // The mean of 4000 uniform values has a standard error of 0.0009.
        assertThat(sum / squares.length).isBetween(0.904 - 0.005, 0.904 + 0.005);
    }

    @Test
    void namesItsParametersAsUpstream() {
        RgLru mixer = new RgLru(3, new RgLruConfig(6, 2, 4), Initialization.fanIn(1));
        assertThat(SizedBlock.parametersOf(mixer).keySet())
                .containsExactlyInAnyOrder(
                        "linear_x.weight",
                        "linear_x.bias",
                        "linear_y.weight",
                        "linear_y.bias",
                        "linear_out.weight",
                        "linear_out.bias",
                        "conv_1d.weight",
                        "conv_1d.bias",
                        "rg_lru.recurrent_param",
                        "rg_lru.input_gate_weight",
                        "rg_lru.input_gate_bias",
                        "rg_lru.recurrent_gate_weight",
                        "rg_lru.recurrent_gate_bias");
    }

    @Test
    void refusesAStateOfAnotherShape() {
        RgLru mixer = new RgLru(3, new RgLruConfig(6, 2, 4), Initialization.fanIn(1));
        RgLru wider = new RgLru(3, new RgLruConfig(8, 2, 4), Initialization.fanIn(1));
        mixer.initialize(manager, DataType.FLOAT32, new Shape(1, 1, 3));
        wider.initialize(manager, DataType.FLOAT32, new Shape(1, 1, 3));
        NDArray x = Tensors.normal(manager, 1, 2, 5, 3);
        RgLru.Output output =
                wider.forward(store, x, Positions.range(manager, 2, 5, 0), null, false);
        Positions next = Positions.range(manager, 2, 5, 5);
        assertThatThrownBy(() -> mixer.forward(store, x, next, output.state(), false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("RgLru expects a state of shapes [(2, 3, 6), (2, 6)]");
    }
}
