package dev.recurrent.tests.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.mixer.DeltaNet;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig.QueryKeyNorm;
import dev.recurrent.blocks.mixer.GatedDeltaNet;
import dev.recurrent.blocks.mixer.RecurrentState;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.tests.support.DeltaOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** DeltaNet and Gated DeltaNet against their papers' formulas in float64. */
class DeltaNetTest {

    /** Two projections and a rule in fp32: 1e-6 is met. */
    private static final double TOLERANCE = 1e-5;

    private static final int TIME = 70;

    static Stream<String> names() {
        return configs().keySet().stream();
    }

    private static Map<String, DeltaNetConfig> configs() {
        Map<String, DeltaNetConfig> configs = new LinkedHashMap<>();
        configs.put("delta", DeltaNetConfig.deltaNet().setHeads(2).setHeadDims(6, 6).build());
        configs.put(
                "delta, without beta and convolution",
                DeltaNetConfig.deltaNet()
                        .setHeads(2)
                        .setHeadDims(6, 10)
                        .optConvolution(0, false)
                        .optBeta(false)
                        .build());
        configs.put(
                "delta, sum norm, gate, bias, negative eigenvalues",
                DeltaNetConfig.deltaNet()
                        .setHeads(3)
                        .setHeadDims(4, 8)
                        .optConvolution(3, true)
                        .optQueryKeyActivation(Activation.ELU_PLUS_ONE)
                        .optQueryKeyNorm(QueryKeyNorm.SUM)
                        .optOutputGate(true)
                        .optNegativeEigenvalues(true)
                        .optEpsilon(1e-5)
                        .build());
        configs.put("gated", DeltaNetConfig.gatedDeltaNet().setHeads(2).setHeadDims(6, 12).build());
        configs.put(
                "gated, groups, negative eigenvalues, bias",
                DeltaNetConfig.gatedDeltaNet()
                        .setHeads(2)
                        .optValueHeads(6)
                        .setHeadDims(6, 4)
                        .optConvolution(4, true)
                        .optNegativeEigenvalues(true)
                        .build());
        configs.put(
                "gated, without output gate and convolution",
                DeltaNetConfig.gatedDeltaNet()
                        .setHeads(2)
                        .setHeadDims(6, 4)
                        .optConvolution(0, false)
                        .optOutputGate(false)
                        .build());
        return configs;
    }

    /** A mixer none of whose parameters is zero or one throughout. */
    private static MixerHarness harness(DeltaNetConfig config) {
        MixerHarness harness = new MixerHarness(config);
        int seed = 100;
        for (Parameter parameter : harness.parameters().values()) {
            NDArray array = parameter.getArray();
            array.addi(
                    Tensors.normal(harness.manager(), seed++, array.getShape().getShape())
                            .mul(.1f));
        }
        return harness;
    }

    @ParameterizedTest
    @MethodSource("names")
    void equalsTheFormulas(String name) {
        DeltaNetConfig config = configs().get(name);
        try (MixerHarness harness = harness(config)) {
            NDArray x = harness.input(1, 2, TIME);
            SequenceMixer.Output actual = harness.full(x);
            Reference expected = new Reference(config, harness);
            Tensors.assertClose("y", actual.y(), expected.run(x), TOLERANCE);
            RecurrentState state = (RecurrentState) actual.state();
            Tensors.assertClose("memory", state.memory(), expected.memory, TOLERANCE);
            assertThat(state.bytes()).isEqualTo(2 * harness.mixer.stateBytes(TIME));
        }
    }

    @ParameterizedTest
    @MethodSource("names")
    void gradientsReachEveryParameter(String name) {
        try (MixerHarness harness = harness(configs().get(name))) {
            NDArray x = harness.input(1, 1, 9);
            Map<String, Parameter> parameters = harness.parameters();
            parameters.values().forEach(p -> p.getArray().setRequiresGradient(true));
            try (GradientCollector collector =
                    harness.manager().getEngine().newGradientCollector()) {
                collector.backward(loss(harness, x));
            }
            parameters.forEach((path, p) -> checkEntries(harness, x, path, p.getArray()));
        }
    }

    private static NDArray loss(MixerHarness harness, NDArray x) {
        NDArray y = harness.full(x).y();
        return y.mul(harness.input(2, 1, 9)).sum();
    }

    /** Compares the largest entry and two others with central differences. */
    private static void checkEntries(MixerHarness harness, NDArray x, String path, NDArray array) {
        NDArray gradient = array.getGradient().duplicate();
        array.setRequiresGradient(false);
        float[] expected = gradient.toFloatArray();
        float[] values = array.toFloatArray();
        int largest = (int) gradient.abs().flatten().argMax().getLong();
        double scale = Math.abs(expected[largest]);
        assertThat(scale).as(path).isPositive();
        // The loss is some 10, so its rounding leaves 1e-3 of error and the step 1e-4 of curvature.
        float step = 1e-3f;
        for (int entry : new int[] {largest, 0, values.length - 1}) {
            float value = values[entry];
            double[] losses = new double[2];
            for (int side = 0; side < 2; side++) {
                values[entry] = value + (side == 0 ? step : -step);
                array.set(values);
                losses[side] = loss(harness, x).getFloat();
            }
            values[entry] = value;
            array.set(values);
            double difference = (losses[0] - losses[1]) / (2 * step);
            assertThat((double) expected[entry])
                    .as(path + " entry " + entry)
                    .isCloseTo(difference, within(1e-2 * scale));
        }
    }

    @Test
    void decaysStartAsUpstream() {
        DeltaNetConfig config =
                DeltaNetConfig.gatedDeltaNet().setHeads(512).setHeadDims(2, 2).build();
        try (MixerHarness harness = new MixerHarness(config)) {
            assertThat(harness.mixer).isInstanceOf(GatedDeltaNet.class);
            float[] rates = floats(harness, "A_log");
            float[] biases = floats(harness, "dt_bias");
            double meanRate = 0;
            double meanLogStep = 0;
            for (int i = 0; i < 512; i++) {
                double rate = Math.exp(rates[i]);
                double step = Math.log1p(Math.exp(biases[i]));
                assertThat(rate).isBetween(0.0, 16.001);
                assertThat(step).isBetween(0.000999, 0.1001);
                meanRate += rate / 512;
                meanLogStep += Math.log(step) / 512;
            }
            // Means of 512 uniform draws stray by 0.2 and 0.06 (one sigma).
            assertThat(meanRate).isCloseTo(8, within(1.0));
            assertThat(meanLogStep).isCloseTo(Math.log(1e-2), within(0.3));
        }
    }

    @Test
    void parametersAreThoseOfTheUpstream() {
        DeltaNetConfig config =
                DeltaNetConfig.gatedDeltaNet()
                        .setHeads(2)
                        .optValueHeads(4)
                        .setHeadDims(6, 8)
                        .optConvolution(4, true)
                        .build();
        try (MixerHarness harness = new MixerHarness(config)) {
            Map<String, Shape> shapes = new LinkedHashMap<>();
            harness.parameters().forEach((path, p) -> shapes.put(path, p.getShape()));
            long d = MixerHarness.WIDTH;
            assertThat(shapes)
                    .containsExactlyInAnyOrderEntriesOf(
                            Map.of(
                                    "qkv_proj.weight", new Shape(56, d),
                                    "b_proj.weight", new Shape(4, d),
                                    "a_proj.weight", new Shape(4, d),
                                    "g_proj.weight", new Shape(32, d),
                                    "o_proj.weight", new Shape(d, 32),
                                    "o_norm.weight", new Shape(8),
                                    "qkv_conv1d.weight", new Shape(56, 1, 4),
                                    "qkv_conv1d.bias", new Shape(56),
                                    "A_log", new Shape(4),
                                    "dt_bias", new Shape(4)));
        }
        DeltaNetConfig least =
                DeltaNetConfig.deltaNet()
                        .setHeads(1)
                        .setHeadDims(2, 2)
                        .optBeta(false)
                        .optConvolution(0, true)
                        .build();
        try (MixerHarness harness = new MixerHarness(least)) {
            assertThat(harness.mixer).isExactlyInstanceOf(DeltaNet.class);
            assertThat(harness.parameters())
                    .containsOnlyKeys("qkv_proj.weight", "o_proj.weight", "o_norm.weight");
        }
    }

    private static float[] floats(MixerHarness harness, String path) {
        return harness.parameters().get(path).getArray().toFloatArray();
    }

    /** The layer, channel by channel in float64, around {@link DeltaOracle}. */
    private static final class Reference {

        private final DeltaNetConfig config;
        private final MixerHarness harness;
        private NDArray memory;

        Reference(DeltaNetConfig config, MixerHarness harness) {
            this.config = config;
            this.harness = harness;
        }

        NDArray run(NDArray x) {
            int h = (int) config.heads();
            int hv = (int) config.valueHeads();
            int k = (int) config.keyDim();
            int v = (int) config.valueDim();
            int tokens = 2 * TIME;
            double[][] in = rows(x.toFloatArray(), tokens);
            double[][] qkv = convolve(product(in, "qkv_proj.weight"));
            float[] q = new float[tokens * h * k];
            float[] keys = new float[tokens * h * k];
            float[] values = new float[tokens * hv * v];
            for (int t = 0; t < tokens; t++) {
                for (int head = 0; head < h; head++) {
                    write(q, (t * h + head) * k, normalized(qkv[t], head * k, k));
                    write(keys, (t * h + head) * k, normalized(qkv[t], (h + head) * k, k));
                }
                for (int i = 0; i < hv * v; i++) {
                    values[t * hv * v + i] = (float) silu(qkv[t][2 * h * k + i]);
                }
            }
            DeltaOracle.Output read =
                    DeltaOracle.apply(
                            tensor(q, h, k),
                            tensor(keys, h, k),
                            tensor(values, hv, v),
                            strengths(in),
                            decays(in),
                            1 / Math.sqrt(k),
                            null,
                            null);
            memory = read.state();
            double[][] normal = finish(in, rows(read.values().toFloatArray(), tokens));
            double[][] y = product(normal, "o_proj.weight");
            float[] flat = new float[tokens * (int) MixerHarness.WIDTH];
            for (int t = 0; t < tokens; t++) {
                write(flat, t * (int) MixerHarness.WIDTH, y[t]);
            }
            return harness.manager().create(flat, x.getShape());
        }

        private double[][] convolve(double[][] in) {
            if (config.taps() == 0) {
                return in;
            }
            int w = config.taps();
            float[] weight = floats(harness, "qkv_conv1d.weight");
            float[] bias = config.convolutionBias() ? floats(harness, "qkv_conv1d.bias") : null;
            double[][] out = new double[in.length][in[0].length];
            for (int t = 0; t < in.length; t++) {
                for (int c = 0; c < in[t].length; c++) {
                    double sum = bias == null ? 0 : bias[c];
                    for (int back = 0; back < w && back <= t % TIME; back++) {
                        sum += weight[c * w + w - 1 - back] * in[t - back][c];
                    }
                    out[t][c] = sum;
                }
            }
            return out;
        }

        private double[] normalized(double[] row, int start, int length) {
            double[] out = new double[length];
            double sum = 0;
            double squares = 0;
            for (int i = 0; i < length; i++) {
                double value = row[start + i];
                out[i] =
                        config.queryKeyActivation() == Activation.SILU
                                ? silu(value)
                                : value > 0 ? value + 1 : Math.exp(value);
                sum += out[i];
                squares += out[i] * out[i];
            }
            double norm =
                    config.queryKeyNorm() == QueryKeyNorm.SUM ? sum : Math.sqrt(squares + 1e-6);
            for (int i = 0; i < length; i++) {
                out[i] /= norm;
            }
            return out;
        }

        private NDArray strengths(double[][] in) {
            int hv = (int) config.valueHeads();
            double[][] logits = config.beta() ? product(in, "b_proj.weight") : null;
            float[] beta = new float[in.length * hv];
            for (int i = 0; i < beta.length; i++) {
                double strength = logits == null ? 1 : sigmoid(logits[i / hv][i % hv]);
                beta[i] = (float) (config.negativeEigenvalues() ? 2 * strength : strength);
            }
            return harness.manager().create(beta, new Shape(2, TIME, hv));
        }

        private NDArray decays(double[][] in) {
            if (!config.gated()) {
                return null;
            }
            int hv = (int) config.valueHeads();
            double[][] logits = product(in, "a_proj.weight");
            float[] rates = floats(harness, "A_log");
            float[] biases = floats(harness, "dt_bias");
            float[] g = new float[in.length * hv];
            for (int i = 0; i < g.length; i++) {
                int head = i % hv;
                double step = Math.log1p(Math.exp(logits[i / hv][head] + biases[head]));
                g[i] = (float) (-Math.exp(rates[head]) * step);
            }
            return harness.manager().create(g, new Shape(2, TIME, hv));
        }

        private double[][] finish(double[][] in, double[][] read) {
            int v = (int) config.valueDim();
            float[] weight = floats(harness, "o_norm.weight");
            double[][] gates = config.outputGate() ? product(in, "g_proj.weight") : null;
            double[][] out = new double[read.length][read[0].length];
            for (int t = 0; t < read.length; t++) {
                for (int c = 0; c < out[t].length; c++) {
                    double squares = 0;
                    for (int i = 0; i < v; i++) {
                        squares += Math.pow(read[t][c / v * v + i], 2);
                    }
                    out[t][c] =
                            read[t][c]
                                    / Math.sqrt(squares / v + config.epsilon())
                                    * weight[c % v]
                                    * (gates == null ? 1 : silu(gates[t][c]));
                }
            }
            return out;
        }

        private double[][] product(double[][] in, String path) {
            double[][] weight = rows(floats(harness, path), -1, in[0].length);
            double[][] out = new double[in.length][weight.length];
            for (int t = 0; t < in.length; t++) {
                for (int o = 0; o < weight.length; o++) {
                    for (int i = 0; i < in[t].length; i++) {
                        out[t][o] += weight[o][i] * in[t][i];
                    }
                }
            }
            return out;
        }

        private NDArray tensor(float[] values, int heads, int size) {
            return harness.manager().create(values, new Shape(2, TIME, heads, size));
        }

        private static double[][] rows(float[] values, int count) {
            return rows(values, count, values.length / count);
        }

        private static double[][] rows(float[] values, int count, int length) {
            double[][] rows = new double[count < 0 ? values.length / length : count][length];
            for (int i = 0; i < values.length; i++) {
                rows[i / length][i % length] = values[i];
            }
            return rows;
        }

        private static void write(float[] target, int start, double[] values) {
            for (int i = 0; i < values.length; i++) {
                target[start + i] = (float) values[i];
            }
        }

        private static double sigmoid(double x) {
            return 1 / (1 + Math.exp(-x));
        }

        private static double silu(double x) {
            return x * sigmoid(x);
        }
    }
}
