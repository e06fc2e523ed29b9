package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.recurrent.evaluation.statistic.Accumulator;
import dev.recurrent.evaluation.statistic.Aggregation;
import dev.recurrent.evaluation.statistic.ExactSum;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class StatisticTest {

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void sumsAreThoseOfExactDecimals(long seed) {
        Random random = new Random(seed);
        ExactSum sum = new ExactSum();
        BigDecimal exact = BigDecimal.ZERO;
        for (int i = 0; i < 2_000; i++) {
            double term = Math.scalb(random.nextGaussian(), random.nextInt(400) - 200);
            sum.add(term);
            exact = exact.add(new BigDecimal(term));
            if (i % 100 == 0) {
                assertThat(sum.value()).isEqualTo(exact.doubleValue());
            }
        }
        assertThat(sum.value()).isEqualTo(exact.doubleValue());
    }

    @Test
    void sumsKeepWhatCancels() {
        ExactSum sum = new ExactSum();
        for (double term : new double[] {1e300, 1, -1e300, Double.MIN_VALUE, -1}) {
            sum.add(term);
        }
        assertThat(sum.value()).isEqualTo(Double.MIN_VALUE);
        sum.add(-Double.MIN_VALUE);
        assertThat(sum.value()).isZero();
        for (int i = 0; i < 3; i++) {
            sum.add(-Double.MAX_VALUE / 4);
        }
        assertThat(sum.value()).isEqualTo(-Double.MAX_VALUE / 4 * 3);
    }

    @Test
    void sumsRefuseWhatIsNotFinite() {
        assertThatThrownBy(() -> new ExactSum().add(Double.NaN))
                .isInstanceOf(ArithmeticException.class);
    }

    @ParameterizedTest
    @EnumSource(Aggregation.class)
    void orderAndDivisionDoNotShow(Aggregation aggregation) {
        Random random = new Random(5);
        List<double[]> observations = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            observations.add(new double[] {i, random.nextGaussian() + 3, 1 + random.nextInt(9)});
        }
        Accumulator whole = accumulate(aggregation, observations);
        Collections.shuffle(observations, random);
        Accumulator parts = accumulate(aggregation, observations.subList(200, 300));
        parts.add(accumulate(aggregation, observations.subList(0, 7)));
        parts.add(accumulate(aggregation, observations.subList(7, 200)));
        assertThat(parts.value()).isEqualTo(whole.value());
        assertThat(parts.standardError()).isEqualTo(whole.standardError());
        assertThat(parts.count()).isEqualTo(300);
    }

    private static Accumulator accumulate(Aggregation aggregation, List<double[]> observations) {
        Accumulator accumulator = new Accumulator(aggregation, 11);
        observations.forEach(o -> accumulator.add((long) o[0], o[1], (long) o[2]));
        return accumulator;
    }

    @Test
    void aMeansErrorIsItsFormula() {
        Accumulator accumulator = new Accumulator(Aggregation.MEAN, 0);
        double[] values = {1, 0, 0, 1, 1, 0.5};
        for (int i = 0; i < values.length; i++) {
            accumulator.add(i, values[i], 1);
        }
        assertThat(accumulator.value()).isCloseTo(3.5 / 6, within(1e-15));
        // Σ(x − x̄)² = 3.25 − 3.5² / 6.
        double variance = (3.25 - 3.5 * 3.5 / 6) / 5;
        assertThat(accumulator.standardError()).isCloseTo(Math.sqrt(variance / 6), within(1e-15));
    }

    @Test
    void aRatiosErrorIsThatOfItsSample() {
        Random random = new Random(3);
        Accumulator ratio = new Accumulator(Aggregation.RATIO, 1);
        Accumulator perplexity = new Accumulator(Aggregation.PERPLEXITY, 1);
        int n = 2_000;
        double x = 0;
        double y = 0;
        double[][] all = new double[n][];
        for (int i = 0; i < n; i++) {
            int weight = 1 + random.nextInt(4);
            all[i] = new double[] {weight * (1 + 0.3 * random.nextGaussian()), weight};
            ratio.add(i, all[i][0], weight);
            perplexity.add(i, all[i][0], weight);
            x += all[i][0];
            y += weight;
        }
        double residuals = 0;
        for (double[] o : all) {
            residuals += Math.pow(o[0] - x / y * o[1], 2);
        }
        // The delta method for a ratio of sums; 1000 replicates know it to 2.2 %, so 4 of these.
        double expected = Math.sqrt(residuals) / y;
        assertThat(ratio.value()).isCloseTo(x / y, within(1e-12));
        assertThat(ratio.standardError()).isCloseTo(expected, within(0.09 * expected));
        double factor = perplexity.value();
        assertThat(perplexity.standardError() / factor)
                .isCloseTo(expected, within(0.09 * expected));
    }

    @Test
    void oneObservationHasNoError() {
        for (Aggregation aggregation : Aggregation.values()) {
            Accumulator accumulator = new Accumulator(aggregation, 0);
            accumulator.add(0, 2, 4);
            assertThat(accumulator.standardError()).isNaN();
        }
    }
}
