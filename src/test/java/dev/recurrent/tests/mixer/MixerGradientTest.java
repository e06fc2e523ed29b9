package dev.recurrent.tests.mixer;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.tests.support.Tensors;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients of every mixer against central differences along random directions. */
class MixerGradientTest {

    /** Two chunks of 64, the second ragged. */
    private static final long LENGTH = 70;

    /**
     * Central differences of an fp32 loss with steps of 2e-3 carry an error of about 1e-3 of the
     * larger derivatives (truncation and cancellation alike).
     */
    private static final double TOLERANCE = 1e-2;

    private static final float STEP = 2e-3f;

    static Stream<String> kinds() {
        return MixerHarness.kinds().keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void gradientsEqualCentralDifferences(String kind) {
        try (MixerHarness harness = new MixerHarness(MixerHarness.kinds().get(kind))) {
            NDArray x = harness.input(1, 2, LENGTH);
            NDArray weights = harness.input(2, 2, LENGTH);
            Map<String, NDArray> variables = new LinkedHashMap<>();
            variables.put("x", x);
            for (Map.Entry<String, Parameter> entry : harness.parameters().entrySet()) {
                variables.put(entry.getKey(), entry.getValue().getArray());
            }
            variables.values().forEach(variable -> variable.setRequiresGradient(true));
            try (GradientCollector collector =
                    harness.manager().getEngine().newGradientCollector()) {
                collector.backward(loss(harness, x, weights));
            }
            int seed = 3;
            for (Map.Entry<String, NDArray> entry : variables.entrySet()) {
                NDArray variable = entry.getValue();
                NDArray gradient = variable.getGradient().duplicate();
                NDArray direction = direction(variable, gradient, seed++);
                double expected = difference(harness, x, weights, variable, direction);
                double actual = gradient.mul(direction).sum().getFloat();
                assertThat(expected).as("%s has an influence", entry.getKey()).isNotZero();
                assertThat(actual)
                        .as(entry.getKey())
                        .isCloseTo(expected, within(TOLERANCE, expected));
            }
        }
    }

    /** Half noise, half gradient, so that the derivative along it is never near zero. */
    private static NDArray direction(NDArray variable, NDArray gradient, int seed) {
        NDArray noise = Tensors.normal(variable.getManager(), seed, variable.getShape().getShape());
        NDArray unitNoise = noise.div(noise.norm().add(1e-12f));
        return unitNoise.add(gradient.div(gradient.norm().add(1e-12f)));
    }

    private static double difference(
            MixerHarness harness, NDArray x, NDArray weights, NDArray variable, NDArray direction) {
        variable.setRequiresGradient(false);
        NDArray step = direction.mul(STEP);
        variable.addi(step);
        double above = loss(harness, x, weights).getFloat();
        variable.subi(step.mul(2));
        double below = loss(harness, x, weights).getFloat();
        variable.addi(step);
        return (above - below) / (2 * STEP);
    }

    private static NDArray loss(MixerHarness harness, NDArray x, NDArray weights) {
        SequenceMixer.Output output =
                harness.mixer.forward(harness.store, x, MixerHarness.range(x, 0), null, true);
        return output.y().mul(weights).sum();
    }

    private static org.assertj.core.data.Offset<Double> within(double relative, double value) {
        return org.assertj.core.data.Offset.offset(relative * Math.abs(value));
    }
}
