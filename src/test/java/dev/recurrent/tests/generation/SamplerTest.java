package dev.recurrent.tests.generation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.Sampler;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SamplerTest {

    private static final int DRAWS = 20_000;
    private static final float[] LOGITS = {1.5f, -0.3f, 0.2f, 2.1f, -4f, 0.9f, 0.2f};

    private static GenerationConfig.Builder sampling() {
        return GenerationConfig.builder().optTemperature(1);
    }

    /** Probabilities by the definitions, on sorted tokens: temperature, top-k, top-p. */
    private static double[] expected(float[] logits, double temperature, int topK, double topP) {
        int size = logits.length;
        Integer[] order = new Integer[size];
        for (int i = 0; i < size; i++) {
            order[i] = i;
        }
        java.util.Arrays.sort(order, (a, b) -> Float.compare(logits[b], logits[a]));
        double[] weights = new double[size];
        double sum = 0;
        for (int rank = 0; rank < size; rank++) {
            boolean tied = topK > 0 && logits[order[rank]] == logits[order[topK - 1]];
            if (topK == 0 || rank < topK || tied) {
                weights[order[rank]] = Math.exp(logits[order[rank]] / temperature);
                sum += weights[order[rank]];
            }
        }
        double before = 0;
        double kept = 0;
        for (Integer id : order) {
            if (before >= topP * sum) {
                weights[id] = 0;
            }
            before += weights[id];
            kept += weights[id];
        }
        for (int i = 0; i < size; i++) {
            weights[i] /= kept;
        }
        return weights;
    }

    /**
     * Pearson's statistic of {@value #DRAWS} draws. The bound, mean + 6 standard deviations of the
     * chi-square distribution (df and √(2·df)), is passed by chance less often than once in 10^4
     * for these df; the seed is fixed, so a right sampler passes always. A probability that is off
     * by 10 % raises the statistic by DRAWS·p/100, far beyond the bound.
     */
    private static void assertDistribution(GenerationConfig config, double[] expected) {
        Sampler sampler = new Sampler(config);
        int[] counts = new int[expected.length];
        for (int n = 0; n < DRAWS; n++) {
            counts[(int) sampler.next(LOGITS.clone())]++;
        }
        double statistic = 0;
        int possible = 0;
        for (int i = 0; i < expected.length; i++) {
            if (expected[i] == 0) {
                assertThat(counts[i]).as("token %d", i).isZero();
            } else {
                double mean = DRAWS * expected[i];
                statistic += (counts[i] - mean) * (counts[i] - mean) / mean;
                possible++;
            }
        }
        double df = possible - 1;
        assertThat(statistic).isLessThanOrEqualTo(df + 6 * Math.sqrt(2 * df));
    }

    @Test
    void drawsFollowTheSoftmax() {
        for (double temperature : new double[] {0.5, 1, 2.5}) {
            assertDistribution(
                    sampling().optTemperature(temperature).optSeed(7).build(),
                    expected(LOGITS, temperature, 0, 1));
        }
    }

    @Test
    void topKKeepsTheKMostProbableAndTheirEquals() {
        for (int k : new int[] {1, 2, 4, 5, 7, 100}) {
            // LOGITS 2 and 6 are equal and stand at ranks 4 and 5: k = 4 keeps both.
            double[] expected = expected(LOGITS, 1, Math.min(k, LOGITS.length), 1);
            assertDistribution(sampling().optTopK(k).optSeed(11).build(), expected);
        }
        assertThat(expected(LOGITS, 1, 4, 1)[6]).isPositive();
    }

    @Test
    void topPKeepsTheFewestThatReachP() {
        for (double p : new double[] {1e-9, 0.3, 0.5, 0.9, 0.99, 1}) {
            assertDistribution(
                    sampling().optTopP(p).optSeed(13).build(), expected(LOGITS, 1, 0, p));
        }
        // The first of two halves reaches one half exactly.
        Sampler sampler = new Sampler(sampling().optTopP(0.5).build());
        for (int n = 0; n < 100; n++) {
            assertThat(sampler.next(new float[] {3, 3})).isZero();
        }
    }

    @Test
    void filtersApplyInOrder() {
        assertDistribution(
                sampling().optTemperature(1.7).optTopK(5).optTopP(0.8).optSeed(17).build(),
                expected(LOGITS, 1.7, 5, 0.8));
    }

    @Test
    void greedyTakesTheMostProbableAndTheLowestOfEquals() {
        Sampler greedy = new Sampler(GenerationConfig.DEFAULT);
        Random random = new Random(1);
        for (int n = 0; n < 100; n++) {
            float[] logits = new float[50];
            int best = 0;
            for (int i = 0; i < logits.length; i++) {
                logits[i] = (float) random.nextGaussian();
                best = logits[i] > logits[best] ? i : best;
            }
            assertThat(greedy.next(logits)).isEqualTo(best);
        }
        assertThat(greedy.next(new float[] {-1, 5, 5})).isEqualTo(1);
        assertThat(greedy.next(new float[] {Float.NEGATIVE_INFINITY, -9})).isEqualTo(1);
    }

    @Test
    void lowTemperaturesApproachGreedyWithoutOverflow() {
        Sampler sampler = new Sampler(sampling().optTemperature(1e-300).build());
        assertThat(sampler.next(new float[] {-3e38f, 3e38f, 2.9e38f})).isEqualTo(1);
    }

    @Test
    void repetitionPenaltyDividesPositiveAndMultipliesNegativeLogitsOnce() {
        Sampler sampler = new Sampler(GenerationConfig.builder().optRepetitionPenalty(2).build());
        sampler.see(0, 1, 1);
        float[] logits = {4, -1, 1.9f, -1.5f};
        assertThat(sampler.next(logits)).isZero();
        assertThat(logits).containsExactly(2, -2, 1.9f, -1.5f);
        sampler.see(2);
        assertThat(sampler.next(new float[] {4, -1, 3.9f, 2.5f})).isEqualTo(3);
    }

    @Test
    void aSeedRepeatsAndAnotherDiffers() {
        StringBuilder[] drawn = {new StringBuilder(), new StringBuilder(), new StringBuilder()};
        for (int run = 0; run < 3; run++) {
            Sampler sampler = new Sampler(sampling().optSeed(run / 2).build());
            for (int n = 0; n < 50; n++) {
                drawn[run].append(sampler.next(LOGITS.clone()));
            }
        }
        assertThat(drawn[0]).hasToString(drawn[1].toString());
        assertThat(drawn[0].toString()).isNotEqualTo(drawn[2].toString());
    }

    @Test
    void logitsThatAreNoNumbersAreRefused() {
        for (GenerationConfig config :
                new GenerationConfig[] {GenerationConfig.DEFAULT, sampling().build()}) {
            Sampler sampler = new Sampler(config);
            assertThatThrownBy(() -> sampler.next(new float[] {1, Float.NaN}))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("logit 1 is NaN");
            assertThatThrownBy(() -> sampler.next(new float[] {Float.POSITIVE_INFINITY}))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> sampler.next(new float[] {Float.NEGATIVE_INFINITY}))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void optionsOutOfRangeAreRefused() {
        GenerationConfig.Builder[] wrong = {
            GenerationConfig.builder().optMaxNewTokens(0),
            GenerationConfig.builder().optTemperature(-0.1),
            GenerationConfig.builder().optTemperature(Double.NaN),
            GenerationConfig.builder().optTopK(-1),
            GenerationConfig.builder().optTopP(0),
            GenerationConfig.builder().optTopP(1.1),
            GenerationConfig.builder().optRepetitionPenalty(0),
            GenerationConfig.builder().optPrefillChunk(0),
            GenerationConfig.builder().optStopStrings(java.util.List.of("")),
        };
        for (GenerationConfig.Builder builder : wrong) {
            assertThatThrownBy(builder::build).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
