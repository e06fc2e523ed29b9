package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.recurrent.tests.support.DeltaGradientOracle;
import dev.recurrent.tests.support.DeltaGradientOracle.Sizes;
import dev.recurrent.tests.support.DeltaGradientOracle.Values;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The oracle's gradients are the slopes of its loss. */
class DeltaGradientOracleTest {

    private static final Sizes SIZES = new Sizes(2, 5, 1, 2, 3, 2);
    private static final long[] POSITIONS = {4, 5, 0, 1, 2, 0, 1, 2, -1, -1};
    private static final double SCALE = 0.7;

    /** Of central differences: the loss is smooth, and of order one. */
    private static final double STEP = 1e-5;

    /** STEP² from the third derivative, and 1e-16/STEP from rounding. */
    private static final double TOLERANCE = 1e-8;

    @ParameterizedTest
    @CsvSource({"true, true", "true, false", "false, true", "false, false"})
    void gradientsAreSlopes(boolean corrects, boolean decays) {
        Random random = new Random(1);
        Values given =
                new Values(
                        normal(random, 30, 0.5),
                        normal(random, 30, 0.5),
                        normal(random, 40, 1),
                        corrects ? normal(random, 20, 0.5) : null,
                        decays ? normal(random, 20, 0.5) : null,
                        normal(random, 24, 1));
        double[] values = normal(random, 40, 1);
        double[] lastState = normal(random, 24, 1);
        double[][] arguments = given.toArray();
        double[][] gradients =
                DeltaGradientOracle.gradients(SIZES, given, SCALE, POSITIONS, values, lastState)
                        .toArray();
        for (int i = 0; i < arguments.length; i++) {
            for (int at = 0; arguments[i] != null && at < arguments[i].length; at++) {
                double value = arguments[i][at];
                arguments[i][at] = value + STEP;
                double above =
                        DeltaGradientOracle.loss(SIZES, given, SCALE, POSITIONS, values, lastState);
                arguments[i][at] = value - STEP;
                double below =
                        DeltaGradientOracle.loss(SIZES, given, SCALE, POSITIONS, values, lastState);
                arguments[i][at] = value;
                assertThat(gradients[i][at])
                        .as("argument " + i + " at " + at)
                        .isCloseTo((above - below) / (2 * STEP), within(TOLERANCE));
            }
        }
    }

    private static double[] normal(Random random, int size, double deviation) {
        return random.doubles(size, 0, 1).map(x -> deviation * random.nextGaussian()).toArray();
    }
}
