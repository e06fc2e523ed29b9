package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.score.Prompt;
import dev.recurrent.evaluation.score.Row;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.score.Scores;
import dev.recurrent.evaluation.score.StreamingScorer;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.GenerationResult;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScorerTest {

    /** Logits of order 1 in fp32, rounded differently in other batches. */
    private static final double ROUNDING = 1e-5;

    private static NDManager manager;
    private static LanguageModel model;

    @BeforeAll
    static void open() {
        manager = NDManager.newBaseManager();
        model = SmallModel.create(manager);
    }

    @AfterAll
    static void close() {
        manager.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void rowsAreScoredAsIfAlone(int batch) {
        List<Row> rows = new ArrayList<>();
        for (int length : new int[] {40, 2, 17, 130, 3, 65, 64}) {
            rows.add(Row.last(ids(length, length), Math.min(length - 1, 20)));
        }
        List<Scores> scores = scorer(batch).score(rows);
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            double[] costs = costs(append(row.ids(), row.targets()[row.targets().length - 1]));
            for (int j = 0; j < row.places().length; j++) {
                assertThat(scores.get(i).logLikelihoods()[j])
                        .isCloseTo(-costs[row.places()[j]], within(ROUNDING));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void continuationsAreScoredAsRowsAre(int batch) {
        List<Prompt> prompts = new ArrayList<>();
        List<Row> rows = new ArrayList<>();
        for (int length : new int[] {50, 1, 7, 120}) {
            long[] context = ids(length, length);
            List<long[]> continuations =
                    IntStream.of(1, 5, 2, 30).mapToObj(size -> ids(size, size + length)).toList();
            prompts.add(new Prompt(context, continuations));
            for (long[] continuation : continuations) {
                rows.add(Row.last(append(context, continuation), continuation.length));
            }
        }
        List<Scores> alone = scorer(1).score(rows);
        List<List<Scores>> together = scorer(batch).continuations(prompts);
        assertThat(together).allSatisfy(list -> assertThat(list).hasSize(4));
        for (int i = 0; i < alone.size(); i++) {
            Scores scores = together.get(i / 4).get(i % 4);
            assertThat(scores.sum()).isCloseTo(alone.get(i).sum(), within(30 * ROUNDING));
            assertThat(scores.predictions()).isEqualTo(alone.get(i).predictions());
        }
    }

    @Test
    void predictionsAreWhatTheModelGenerates() {
        long[] context = ids(30, 4);
        GenerationConfig greedy = GenerationConfig.builder().optMaxNewTokens(6).build();
        GenerationResult result = scorer(2).generate(List.of(context), greedy).get(0);
        long[] own = result.ids().stream().mapToLong(id -> id).toArray();
        long[] other = own.clone();
        other[3] = (own[3] + 1) % SmallModel.VOCABULARY;
        List<Scores> scores =
                scorer(2).continuations(List.of(new Prompt(context, List.of(own, other)))).get(0);
        assertThat(scores.get(0).isGreedy()).isTrue();
        assertThat(scores.get(1).isGreedy()).isFalse();
        assertThat(scores.get(1).isGreedy(2)).isTrue();
        assertThat(scores.get(1).isGreedy(3)).isFalse();
    }

    @Test
    void placesNeedNotBeTheLast() {
        long[] ids = ids(20, 9);
        Row row = new Row(ids, new int[] {0, 5, 19}, new long[] {1, 2, 3});
        Scores scores = scorer(1).score(List.of(row)).get(0);
        double[] costs = costs(append(Arrays.copyOf(ids, 6), 2));
        assertThat(scores.logLikelihoods()[1]).isCloseTo(-costs[5], within(ROUNDING));
    }

    @Test
    void refusesWhatHasNoTokens() {
        assertThatThrownBy(() -> new Prompt(new long[0], List.of(new long[] {1})))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Row(new long[] {1}, new int[1], new long[2]))
                .isInstanceOf(IllegalArgumentException.class);
        Row unknown = new Row(new long[] {SmallModel.VOCABULARY}, new int[1], new long[1]);
        assertThatThrownBy(() -> scorer(1).score(List.of(unknown)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("vocabulary");
    }

    private static Scorer scorer(int batch) {
        return new Scorer(model, new ByteTokenizer(), manager, batch);
    }

    private static long[] ids(int length, long seed) {
        return new Random(seed).longs(length, 0, SmallModel.VOCABULARY).toArray();
    }

    private static long[] append(long[] ids, long... more) {
        long[] all = Arrays.copyOf(ids, ids.length + more.length);
        System.arraycopy(more, 0, all, ids.length, more.length);
        return all;
    }

    private static double[] costs(long[] ids) {
        List<Double> costs = new ArrayList<>();
        try (StreamingScorer scorer =
                new StreamingScorer(model, manager, (position, nll) -> costs.add(nll))) {
            Arrays.stream(ids).forEach(scorer::add);
            scorer.finish();
        }
        return costs.stream().mapToDouble(x -> x).toArray();
    }
}
