package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.recurrent.evaluation.statistic.Aggregation;
import dev.recurrent.evaluation.statistic.Difference;
import dev.recurrent.evaluation.statistic.Holm;
import dev.recurrent.evaluation.statistic.Normal;
import dev.recurrent.evaluation.statistic.PairedSample;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SignificanceTest {

    /** Quantiles from tables of the normal distribution; the last are erfc(|z| / √2) of mpmath. */
    @ParameterizedTest
    @CsvSource({
        "0, 1",
        "0.674489750196082, 0.5",
        "1, 0.317310507862914",
        "1.644853626951473, 0.1",
        "-1.959963984540054, 0.05",
        "2.575829303548901, 0.01",
        "3.290526731491926, 0.001",
        "6, 1.973175290075e-9",
        "10, 1.523970604832e-23"
    })
    void pValuesAreThoseOfTheNormalDistribution(double z, double p) {
        // The quantiles are given to 15 digits, the small p-values to 13.
        assertThat(Normal.twoSided(z)).isCloseTo(p, within(2e-12 * p));
    }

    /** The two formulas meet where one gives way to the other. */
    @Test
    void pValuesAreSmoothAndFall() {
        double before = 1;
        for (double z = 0.01; z < 6; z += 0.01) {
            double p = Normal.twoSided(z);
            // The density at the middle of the step, whose error is of its third power.
            double density = 2 / Math.sqrt(2 * Math.PI) * Math.exp(-(z - 0.005) * (z - 0.005) / 2);
            assertThat(before - p).isCloseTo(0.01 * density, within(1e-7));
            before = p;
        }
        assertThat(Normal.twoSided(Double.NaN)).isNaN();
        assertThat(Normal.twoSided(Double.NEGATIVE_INFINITY)).isZero();
    }

    @Test
    void independentErrorsAddInSquares() {
        Difference difference = Difference.independent(0.5, 0.03, 0.6, 0.04);
        assertThat(difference.value()).isCloseTo(0.1, within(1e-15));
        assertThat(difference.standardError()).isCloseTo(0.05, within(1e-15));
        assertThat(difference.z()).isCloseTo(2, within(1e-12));
        // 2 (1 − Φ(2)).
        assertThat(difference.p()).isCloseTo(0.0455002638963584, within(1e-12));
        assertThat(difference.permutation()).isNaN();
        assertThat(Difference.independent(1, 0, 1, 0).p()).isNaN();
    }

    @Test
    void pairedMeansHaveTheErrorOfTheirDifferences() {
        double[] a = {1, 0, 1, 0, 0};
        double[] b = {1, 1, 1, 0, 1};
        PairedSample sample = new PairedSample(Aggregation.MEAN);
        for (int i = 0; i < a.length; i++) {
            sample.add(a[i], 1, b[i], 1);
        }
        Difference difference = sample.difference(1);
        // Differences 0, 1, 0, 0, 1: mean 0.4, s² = 1.2 / 4, so s / √5 = √0.06.
        assertThat(difference.value()).isCloseTo(0.4, within(1e-15));
        assertThat(difference.standardError()).isCloseTo(Math.sqrt(0.06), within(1e-15));
        assertThat(difference.pairs()).isEqualTo(5);
        // Two signs of two are equal with probability 1/2; 10,000 draws know it to 0.005, so 4.
        assertThat(difference.permutation()).isCloseTo(0.5, within(0.02));
    }

    /** An oracle that moves each unit's weight by a little, and sums what that changes. */
    @ParameterizedTest
    @CsvSource({"MEAN", "RATIO", "PERPLEXITY", "BITS"})
    void errorsAreThoseOfTheInfinitesimalJackknife(Aggregation aggregation) {
        Random random = new Random(4);
        int m = 37;
        double[][] units = new double[m][];
        PairedSample sample = new PairedSample(aggregation);
        for (int i = 0; i < m; i++) {
            int weight = 1 + random.nextInt(6);
            double hard = random.nextGaussian();
            units[i] =
                    new double[] {
                        weight * (2 + 0.3 * hard),
                        weight,
                        weight * (1.9 + 0.3 * hard + 0.05 * random.nextGaussian()),
                        weight + i % 2
                    };
            sample.add(units[i][0], units[i][1], units[i][2], units[i][3]);
        }
        double squares = 0;
        double step = 1e-5;
        for (int i = 0; i < m; i++) {
            double up = difference(aggregation, units, i, 1 + step);
            double down = difference(aggregation, units, i, 1 - step);
            squares += Math.pow((up - down) / (2 * step), 2);
        }
        double expected = Math.sqrt(m / (m - 1.0) * squares);
        // Central differences are off by step² and by rounding over step.
        assertThat(sample.difference(0).standardError())
                .isCloseTo(expected, within(1e-7 * expected));
        assertThat(sample.difference(0).value())
                .isCloseTo(difference(aggregation, units, 0, 1), within(1e-12));
        assertThat(sample.difference(0)).isEqualTo(sample.difference(0));
    }

    private static double difference(
            Aggregation aggregation, double[][] units, int which, double weight) {
        double[] sums = new double[4];
        for (int i = 0; i < units.length; i++) {
            for (int j = 0; j < sums.length; j++) {
                sums[j] += (i == which ? weight : 1) * units[i][j];
            }
        }
        return value(aggregation, sums[2] / sums[3]) - value(aggregation, sums[0] / sums[1]);
    }

    private static double value(Aggregation aggregation, double ratio) {
        return switch (aggregation) {
            case MEAN, RATIO -> ratio;
            case PERPLEXITY -> Math.exp(ratio);
            case BITS -> ratio / Math.log(2);
        };
    }

    /** All 2¹⁰ swaps, counted. */
    @Test
    void permutationsSwapUnits() {
        double[][] units = new double[10][];
        Random random = new Random(8);
        PairedSample sample = new PairedSample(Aggregation.PERPLEXITY);
        for (int i = 0; i < units.length; i++) {
            units[i] =
                    new double[] {
                        random.nextDouble(), 1 + i % 3, random.nextDouble() + 0.2, 1 + i % 3
                    };
            sample.add(units[i][0], units[i][1], units[i][2], units[i][3]);
        }
        double seen = Math.abs(swap(units, 0));
        int extreme = 0;
        for (int bits = 0; bits < 1024; bits++) {
            extreme += Math.abs(swap(units, bits)) >= seen * (1 - 1e-9) ? 1 : 0;
        }
        double exact = extreme / 1024.0;
        // 9,999 draws: four standard deviations.
        assertThat(sample.difference(3).permutation())
                .isCloseTo(exact, within(4 * Math.sqrt(exact * (1 - exact) / 9_999) + 1e-4));
        assertThat(exact).isBetween(0.001, 0.5);
    }

    private static double swap(double[][] units, int bits) {
        double[] sums = new double[4];
        for (int i = 0; i < units.length; i++) {
            int shift = (bits >> i & 1) * 2;
            for (int j = 0; j < sums.length; j++) {
                sums[j] += units[i][(j + shift) % 4];
            }
        }
        return Math.exp(sums[2] / sums[3]) - Math.exp(sums[0] / sums[1]);
    }

    /** Under equal models, p below α is as frequent as α. */
    @Test
    void falseAlarmsAreAsFrequentAsTheyShouldBe() {
        Random random = new Random(12);
        int alarms = 0;
        int trials = 2_000;
        for (int trial = 0; trial < trials; trial++) {
            PairedSample sample = new PairedSample(Aggregation.MEAN);
            for (int i = 0; i < 60; i++) {
                double hard = random.nextGaussian();
                sample.add(hard + random.nextGaussian(), 1, hard + random.nextGaussian(), 1);
            }
            alarms += Normal.twoSided(zOf(sample)) < 0.05 ? 1 : 0;
        }
        // z of 60 pairs is Student's t: P(|t₅₉| > 1.96) = 0.0547; ± four standard deviations.
        assertThat(alarms / (double) trials).isCloseTo(0.0547, within(0.0204));
    }

    private static double zOf(PairedSample sample) {
        return sample.difference(0).z();
    }

    @Test
    void holmMultipliesTheSmallestByTheirNumber() {
        // In order .01 · 4, .02 · 3, .03 · 2 raised to .06, .04 · 1 raised to .06.
        assertThat(Holm.correct(new double[] {0.04, Double.NaN, 0.01, 0.03, 0.02}))
                .usingComparatorWithPrecision(1e-15)
                .containsExactly(0.06, Double.NaN, 0.04, 0.06, 0.06);
        assertThat(Holm.correct(new double[] {0.6, 0.7})).containsExactly(1, 1);
        assertThat(Holm.correct(new double[0])).isEmpty();
    }

    @Test
    void fewerThanTwoPairsHaveNoError() {
        PairedSample sample = new PairedSample(Aggregation.MEAN);
        sample.add(0, 1, 1, 1);
        Difference difference = sample.difference(0);
        assertThat(difference.value()).isEqualTo(1);
        assertThat(difference.standardError()).isNaN();
        assertThat(difference.p()).isNaN();
    }
}
