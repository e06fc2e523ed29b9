package dev.recurrent.tests.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.mixer.Mamba2;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.blocks.mixer.RecurrentState;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class Mamba2Test {

    private static final int WIDTH = 7;
    private static final int B = 2;
    private static final int T = 75;

    /** Rows that restart inside and at the chunks' borders, and one that ends early. */
    private static final long[] POSITIONS = positions();

    private NDManager manager;
    private ParameterStore store;

    private static long[] positions() {
        long[] positions = new long[B * T];
        for (int t = 0; t < T; t++) {
            positions[t] = t < 30 ? t : t < 64 ? t - 30 : t - 64;
            positions[T + t] = t < 66 ? t : Positions.PADDING;
        }
        return positions;
    }

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

    static Stream<Mamba2Config> configs() {
        double unlimited = Double.POSITIVE_INFINITY;
        return Stream.of(
                new Mamba2Config(4, 3, 5, 1, 4, true, false, 0, unlimited, 1, 1e-5),
                new Mamba2Config(6, 2, 4, 3, 2, false, true, 0, unlimited, 3, 1e-5),
                new Mamba2Config(4, 4, 3, 2, 4, true, false, 0.4, 1.1, 1, 1e-5));
    }

    private Mamba2 mixer(Mamba2Config config) {
        Mamba2 mixer = new Mamba2(WIDTH, config, Initialization.normal(0.4));
        mixer.initialize(manager, DataType.FLOAT32, new Shape(1, 1, WIDTH));
        int seed = 10;
        for (Parameter parameter : SizedBlock.parametersOf(mixer).values()) {
            Tensors.normal(manager, seed++, parameter.getShape().getShape())
                    .mul(0.5f)
                    .copyTo(parameter.getArray());
        }
        return mixer;
    }

    @ParameterizedTest
    @MethodSource("configs")
    void followsItsDefinition(Mamba2Config config) {
        Mamba2 mixer = mixer(config);
        NDArray x = Tensors.normal(manager, 1, B, T, WIDTH);
        Positions positions = Positions.of(manager, B, T, POSITIONS);
        Mamba2.Output output = mixer.forward(store, x, positions, null, false);
        ScanOracle.Result expected = expected(config, arguments(mixer, x), POSITIONS);
        // Sums of at most 75 fp32 terms, normalised.
        NDArray y = ScanOracle.tensor(manager, expected.values(), x.getShape());
        Tensors.assertClose("y", output.y(), y, 5e-6);
        NDArray memory = ((RecurrentState) output.state()).memory();
        assertThat(memory.getShape())
                .isEqualTo(new Shape(B, config.heads(), config.stateSize(), config.headDim()));
        NDArray state = ScanOracle.tensor(manager, expected.state(), memory.getShape());
        Tensors.assertClose("state", memory, state, 5e-6);
    }

    @ParameterizedTest
    @MethodSource("configs")
    void gradientsAreThoseOfItsDefinition(Mamba2Config config) {
        Mamba2 mixer = mixer(config);
        NDArray x = Tensors.normal(manager, 1, B, T, WIDTH);
        NDArray dy = Tensors.normal(manager, 2, B, T, WIDTH);
        Map<String, double[]> arguments = arguments(mixer, x);
        Map<String, NDArray> leaves = new LinkedHashMap<>();
        leaves.put("u", x);
        SizedBlock.parametersOf(mixer).forEach((name, p) -> leaves.put(name, p.getArray()));
        leaves.values().forEach(leaf -> leaf.setRequiresGradient(true));
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            Positions positions = Positions.of(manager, B, T, POSITIONS);
            NDArray y = mixer.forward(store, x, positions, null, true).y();
            collector.backward(y.mul(dy).sum());
        }
        Random random = new Random(3);
        leaves.forEach(
                (name, leaf) -> {
                    double[] gradient = ScanOracle.doubles(leaf.getGradient());
                    double scale = leaf.getGradient().abs().max().getFloat();
                    assertThat(scale).as(name).isPositive();
                    for (int i = 0; i < 4; i++) {
                        int at = random.nextInt(gradient.length);
                        double wanted = slope(config, arguments, name, at, dy);
                        // fp32 sums of some thousand terms; differences in double are exact.
                        assertThat(gradient[at])
                                .as(name + "[" + at + "]")
                                .isCloseTo(wanted, within(2e-5 * scale));
                    }
                });
    }

    private static double slope(
            Mamba2Config config, Map<String, double[]> arguments, String name, int at, NDArray dy) {
        double step = 1e-6;
        double[] values = arguments.get(name);
        double kept = values[at];
        double[] weights = ScanOracle.doubles(dy);
        double difference = 0;
        for (int sign = -1; sign <= 1; sign += 2) {
            values[at] = kept + sign * step;
            double[] y = expected(config, arguments, POSITIONS).values();
            for (int i = 0; i < y.length; i++) {
                difference += sign * weights[i] * y[i];
            }
        }
        values[at] = kept;
        return difference / (2 * step);
    }

    @Test
    void aTokenAfterASequenceContinuesIt() {
        Mamba2Config config = configs().skip(2).findFirst().orElseThrow();
        Mamba2 mixer = mixer(config);
        NDArray x = Tensors.normal(manager, 1, 1, 9, WIDTH);
        NDArray whole = mixer.forward(store, x, Positions.range(manager, 1, 9, 0), null, false).y();
        Mamba2.Output first =
                mixer.forward(
                        store, x.get(":, :8"), Positions.range(manager, 1, 8, 0), null, false);
        NDArray last =
                mixer.forward(
                                store,
                                x.get(":, 8:"),
                                Positions.range(manager, 1, 1, 8),
                                first.state(),
                                false)
                        .y();
        Tensors.assertClose("y", last, whole.get(":, 8:"), 5e-6);
    }

    @Test
    void startsAsTheReleasedCode() {
        Mamba2Config config = Mamba2Config.ofWidth(64 * 512, 8);
        Mamba2 mixer = new Mamba2(2, config, Initialization.mamba(0.02, 2));
        mixer.initialize(manager, DataType.FLOAT32, new Shape(1, 1, 2));
        Map<String, Parameter> parameters = SizedBlock.parametersOf(mixer);
        double[] rates = values(parameters, "A_log");
        double[] steps = values(parameters, "dt_bias");
        assertThat(rates).hasSize(1024);
        double rateSum = 0;
        double logStepSum = 0;
        for (int h = 0; h < rates.length; h++) {
            double rate = Math.exp(rates[h]);
            double step = Math.log1p(Math.exp(steps[h]));
            assertThat(rate).isBetween(1 - 1e-5, 16 + 1e-4);
            assertThat(step).isBetween(0.001 * (1 - 1e-3), 0.1 * (1 + 1e-3));
            rateSum += rate;
            logStepSum += Math.log(step);
        }
        // Standard errors of means of 1024 uniform values: 0.14 and 0.04.
        assertThat(rateSum / rates.length).isCloseTo(8.5, within(0.7));
        assertThat(logStepSum / rates.length).isCloseTo(Math.log(0.01), within(0.2));
        assertThat(values(parameters, "D")).containsOnly(1);
    }

    @Test
    void namesItsParametersAsUpstream() {
        Mamba2 mixer = new Mamba2(64, Mamba2Config.ofWidth(64, 16), Initialization.mamba(0.02, 2));
        Map<String, Parameter> parameters = SizedBlock.parametersOf(mixer);
        assertThat(parameters.keySet())
                .containsExactlyInAnyOrder(
                        "in_proj.weight",
                        "conv1d.weight",
                        "conv1d.bias",
                        "dt_bias",
                        "A_log",
                        "D",
                        "norm.weight",
                        "out_proj.weight");
        assertThat(parameters.get("in_proj.weight").getShape())
                .isEqualTo(new Shape(2 * 128 + 2 * 16 + 2, 64));
        assertThat(parameters.get("conv1d.weight").getShape())
                .isEqualTo(new Shape(128 + 2 * 16, 1, 4));
    }

    private static double[] values(Map<String, Parameter> parameters, String name) {
        return ScanOracle.doubles(parameters.get(name).getArray());
    }

    private static Map<String, double[]> arguments(Mamba2 mixer, NDArray x) {
        Map<String, double[]> arguments = new LinkedHashMap<>();
        arguments.put("u", ScanOracle.doubles(x));
        SizedBlock.parametersOf(mixer)
                .forEach((name, p) -> arguments.put(name, ScanOracle.doubles(p.getArray())));
        return arguments;
    }

    /** The whole mixer in double precision, token by token. */
    private static ScanOracle.Result expected(
            Mamba2Config config, Map<String, double[]> arguments, long[] positions) {
        int inner = (int) config.recurrenceWidth();
        int heads = (int) config.heads();
        int keys = (int) (config.groups() * config.stateSize());
        double[] projected = linear(arguments, "in_proj", arguments.get("u"), WIDTH);
        int all = projected.length / positions.length;
        double[] convolved =
                ScanOracle.convolution(
                                columns(projected, all, inner, inner + 2 * keys),
                                arguments.get("conv1d.weight"),
                                arguments.get("conv1d.bias"),
                                null,
                                positions,
                                B,
                                config.taps())
                        .values();
        for (int i = 0; i < convolved.length; i++) {
            convolved[i] = silu(convolved[i]);
        }
        double[] dt = columns(projected, all, all - heads, heads);
        for (int i = 0; i < dt.length; i++) {
            double step = Math.log1p(Math.exp(dt[i] + arguments.get("dt_bias")[i % heads]));
            dt[i] = Math.min(config.maxStep(), Math.max(config.minStep(), step));
        }
        double[] a = new double[heads];
        for (int h = 0; h < heads; h++) {
            a[h] = -Math.exp(arguments.get("A_log")[h]);
        }
        ScanOracle.Result read =
                ScanOracle.stateSpace(
                        columns(convolved, inner + 2 * keys, 0, inner),
                        dt,
                        a,
                        columns(convolved, inner + 2 * keys, inner, keys),
                        columns(convolved, inner + 2 * keys, inner + keys, keys),
                        arguments.get("D"),
                        positions,
                        B,
                        (int) config.groups());
        double[] y = read.values().clone();
        for (int i = 0; i < y.length; i++) {
            y[i] *= silu(projected[i / inner * all + i % inner]);
        }
        double[] normal = normalize(y, inner / (int) config.normGroups(), config.epsilon());
        for (int i = 0; i < normal.length; i++) {
            normal[i] *= arguments.get("norm.weight")[i % inner];
        }
        double[] out = linear(arguments, "out_proj", normal, inner);
        for (int i = 0; i < out.length; i++) {
            out[i] = positions[i / WIDTH] < 0 ? 0 : out[i];
        }
        return new ScanOracle.Result(out, read.state());
    }

    private static double[] linear(
            Map<String, double[]> arguments, String name, double[] x, int width) {
        double[] weight = arguments.get(name + ".weight");
        double[] bias = arguments.get(name + ".bias");
        int outputs = weight.length / width;
        double[] y = new double[x.length / width * outputs];
        for (int at = 0; at < y.length; at++) {
            y[at] = bias == null ? 0 : bias[at % outputs];
            for (int i = 0; i < width; i++) {
                y[at] += weight[at % outputs * width + i] * x[at / outputs * width + i];
            }
        }
        return y;
    }

    private static double[] normalize(double[] y, int size, double epsilon) {
        double[] normal = new double[y.length];
        for (int begin = 0; begin < y.length; begin += size) {
            double squares = 0;
            for (int i = begin; i < begin + size; i++) {
                squares += y[i] * y[i];
            }
            for (int i = begin; i < begin + size; i++) {
                normal[i] = y[i] / Math.sqrt(squares / size + epsilon);
            }
        }
        return normal;
    }

    /** [.., width] → [.., start … start + count]. */
    private static double[] columns(double[] values, int width, int start, int count) {
        double[] part = new double[values.length / width * count];
        for (int i = 0; i < part.length; i++) {
            part[i] = values[i / count * width + start + i % count];
        }
        return part;
    }

    private static double silu(double x) {
        return x / (1 + Math.exp(-x));
    }
}
