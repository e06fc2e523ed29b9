package dev.recurrent.tests.training.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.recurrent.training.optimizer.LearningRate;
import dev.recurrent.training.optimizer.LearningRate.Curve;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class LearningRateTest {

    private static final float PEAK = 4e-3f;

    @ParameterizedTest
    @EnumSource(Curve.class)
    void risesLinearlyToThePeak(Curve curve) {
        LearningRate rate = new LearningRate(curve, PEAK, 10, 110, 0.1f);
        for (int update = 1; update <= 10; update++) {
            assertThat(rate.getNewValue(update)).isCloseTo(PEAK * update / 10, within(1e-9f));
        }
    }

    @Test
    void followsItsCurveToTheLastUpdateAndStaysThere() {
        LearningRate cosine = new LearningRate(Curve.COSINE, PEAK, 10, 110, 0.1f);
        LearningRate linear = new LearningRate(Curve.LINEAR, PEAK, 10, 110, 0.1f);
        LearningRate constant = new LearningRate(Curve.CONSTANT, PEAK, 10, 110, 0.1f);
        assertThat(cosine.getNewValue(60)).isCloseTo(0.55f * PEAK, within(1e-8f));
        assertThat(cosine.getNewValue(35))
                .isCloseTo(PEAK * (float) (0.1 + 0.45 * (1 + Math.sqrt(0.5))), within(1e-8f));
        assertThat(linear.getNewValue(60)).isCloseTo(0.55f * PEAK, within(1e-8f));
        assertThat(linear.getNewValue(35)).isCloseTo(0.775f * PEAK, within(1e-8f));
        for (int update : new int[] {110, 111, 10_000}) {
            assertThat(cosine.getNewValue(update)).isCloseTo(0.1f * PEAK, within(1e-9f));
            assertThat(linear.getNewValue(update)).isCloseTo(0.1f * PEAK, within(1e-9f));
            assertThat(constant.getNewValue(update)).isEqualTo(PEAK);
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {0, -1, Float.NaN, Float.POSITIVE_INFINITY})
    void refusesRatesThatAreNone(float peak) {
        assertThatThrownBy(() -> LearningRate.constant(peak))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("learning rate must be > 0")
                .hasMessageContaining(Float.toString(peak));
    }

    @Test
    void refusesAWarmUpLongerThanTheRun() {
        assertThatThrownBy(() -> LearningRate.cosine(PEAK, 11, 10))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("11 updates does not fit into 10");
    }
}
