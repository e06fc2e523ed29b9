package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.evaluation.score.StreamingScorer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StreamingScorerTest {

    private static final long[] IDS = new Random(1).longs(150, 0, SmallModel.VOCABULARY).toArray();

    private static NDManager manager;
    private static LanguageModel model;
    private static double[] expected;

    @BeforeAll
    static void scorePlainly() {
        manager = NDManager.newBaseManager();
        model = SmallModel.create(manager);
        expected = plain();
    }

    @AfterAll
    static void close() {
        manager.close();
    }

    /** The negative log-likelihoods by one full pass and a softmax in float64 on the host. */
    private static double[] plain() {
        try (NDManager scope = manager.newSubManager()) {
            int length = IDS.length - 1;
            NDArray ids = scope.create(Arrays.copyOf(IDS, length), new Shape(1, length));
            NDArray logits =
                    model.forward(
                                    new ParameterStore(scope, false),
                                    ids,
                                    Positions.range(scope, 1, length, 0),
                                    null,
                                    false)
                            .values();
            double[] rows = logits.toType(DataType.FLOAT64, true).toDoubleArray();
            int vocabulary = SmallModel.VOCABULARY;
            double[] scores = new double[length];
            for (int t = 0; t < length; t++) {
                double[] row = Arrays.copyOfRange(rows, t * vocabulary, (t + 1) * vocabulary);
                double sum = Arrays.stream(row).map(Math::exp).sum();
                scores[t] = Math.log(sum) - row[(int) IDS[t + 1]];
            }
            return scores;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 64, 148, 149, 150, 1000})
    void equalsOnePassWhateverTheChunk(int chunk) {
        double[] scores = score(chunk);
        assertThat(scores).hasSize(IDS.length - 1);
        for (int t = 0; t < scores.length; t++) {
            // fp32 logits of order 1 carry errors of 1e-7 each; the softmax adds a few of them.
            assertThat(scores[t]).isCloseTo(expected[t], within(1e-5 * expected[t] + 1e-6));
        }
    }

    @Test
    void stateIsCarried() {
        double carried = sum(score(10));
        double cut = 0;
        for (int start = 0; start < IDS.length - 1; start += 10) {
            int end = Math.min(start + 11, IDS.length);
            cut += sum(score(1000, Arrays.copyOfRange(IDS, start, end)));
        }
        // The same tokens scored without what came before: a scorer that forgot would agree.
        assertThat(Math.abs(cut - carried)).isGreaterThan(1e-2);
    }

    @Test
    void scoresNothingOfOneToken() {
        assertThat(score(5, 3)).isEmpty();
    }

    @Test
    void refusesIdsOutsideTheVocabulary() {
        assertThatThrownBy(() -> score(5, 3, SmallModel.VOCABULARY, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("vocabulary");
    }

    private static double sum(double[] scores) {
        return Arrays.stream(scores).sum();
    }

    private static double[] score(int chunk, long... ids) {
        List<Double> scores = new ArrayList<>();
        StreamingScorer.Sink sink =
                (position, nll) -> {
                    scores.add(nll);
                    assertThat(position).isEqualTo(scores.size());
                };
        try (StreamingScorer scorer = new StreamingScorer(model, manager, sink, chunk)) {
            Arrays.stream(ids.length == 0 ? IDS : ids).forEach(scorer::add);
            scorer.finish();
        }
        return scores.stream().mapToDouble(score -> score).toArray();
    }
}
