package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.task.Observation;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.training.data.InductionHeads;
import dev.recurrent.training.data.Mqar;
import dev.recurrent.training.data.SelectiveCopying;
import dev.recurrent.training.data.SyntheticTask;
import dev.recurrent.training.metric.Labels;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecallTest {

    /** Few ids, so that a model that knows nothing is right now and then. */
    private static final int VOCABULARY = 16;

    /** Means of ratios of small integers in double precision. */
    private static final double ROUNDING = 1e-12;

    private static NDManager manager;
    private static LanguageModel model;

    @BeforeAll
    static void open() {
        manager = NDManager.newBaseManager();
        model = SmallModel.create(manager, VOCABULARY);
    }

    @AfterAll
    static void close() {
        manager.close();
    }

    @ParameterizedTest
    @CsvSource({"mqar, 48", "selective_copying, 33", "induction_heads, 9"})
    void countsWhatTheModelSaysAtLabels(String name, int length) throws IOException {
        TaskRun run = run(name, length, 30, 8);
        double right = 0;
        double exact = 0;
        for (Map<String, Object> sample : run.samples()) {
            long[] targets = longs(sample.get("targets"));
            long[] next = next(longs(sample.get("ids")), longs(sample.get("places")));
            long hits = IntStream.range(0, next.length).filter(i -> next[i] == targets[i]).count();
            right += (double) hits / targets.length;
            exact += hits == targets.length ? 1 : 0;
        }
        assertThat(right).as("chance is right sometimes").isPositive();
        assertThat(run.value("acc")).isCloseTo(right / 30, within(ROUNDING));
        assertThat(run.value("exact_match")).isCloseTo(exact / 30, within(ROUNDING));
        assertThat(run.tally().documents()).isEqualTo(30);
        assertThat(run.tally().tokens()).isEqualTo(30L * length);
        assertThat(run.tally().stateBytes()).isEqualTo(model.stateBytes(length));
    }

    @ParameterizedTest
    @CsvSource({"mqar, 64", "selective_copying, 40", "induction_heads, 30"})
    void batchesDoNotMatter(String name, int length) throws IOException {
        TaskRun alone = run(name, length, 12, 1);
        TaskRun together = run(name, length, 12, 8);
        assertThat(together.outcomes()).isEqualTo(alone.outcomes());
    }

    @ParameterizedTest
    @CsvSource({"mqar, 48", "induction_heads, 40"})
    void partsTellHowFarBackTheAnswerIs(String name, int length) throws IOException {
        TaskRun run = run(name, length, 40, 8);
        Map<String, List<Double>> parts = new HashMap<>();
        for (Map<String, Object> sample : run.samples()) {
            List<Long> ids = Arrays.stream(longs(sample.get("ids"))).boxed().toList();
            long[] places = longs(sample.get("places"));
            long[] targets = longs(sample.get("targets"));
            long[] predictions = longs(sample.get("predictions"));
            Map<String, List<Double>> own = new HashMap<>();
            for (int i = 0; i < places.length; i++) {
                int gap = (int) places[i] - ids.indexOf(ids.get((int) places[i]));
                // The token after the first occurrence is the answer.
                assertThat(ids.get((int) places[i] - gap + 1)).isEqualTo(targets[i]);
                int from = 1;
                while (2 * from <= gap) {
                    from *= 2;
                }
                String label = from == 1 ? "1" : from + "-" + (2 * from - 1);
                own.computeIfAbsent(label, key -> new ArrayList<>())
                        .add(targets[i] == predictions[i] ? 1.0 : 0.0);
            }
            own.forEach(
                    (label, hits) ->
                            parts.computeIfAbsent(label, key -> new ArrayList<>()).add(mean(hits)));
        }
        Map<String, Double> found = run.parts("gap");
        assertThat(found).hasSizeGreaterThan(3).hasSameSizeAs(parts);
        parts.forEach(
                (label, means) ->
                        assertThat(found.get(label)).isCloseTo(mean(means), within(ROUNDING)));
    }

    @Test
    void selectiveCopyingHasNoGaps() throws IOException {
        assertThat(run("selective_copying", 32, 4, 2).tally().parts()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "0, 64, 4",
        "16, 16, 1",
        "64, 64, 4",
        "128, 128, 8",
        "200, 200, 12",
        "256, 256, 16",
        "512, 512, 64",
        "1024, 1024, 64"
    })
    void mqarHasItsSizes(int length, int tokens, int pairs) throws IOException {
        Task task = Tasks.create("mqar", TaskOptions.DEFAULT.withLength(length).withLimit(1));
        LanguageModel bytes = SmallModel.create(manager);
        Map<String, Object> sample = TaskRun.of(task, bytes, null, manager, 1).samples().get(0);
        assertThat(longs(sample.get("ids"))).hasSize(tokens);
        assertThat(LongStream.of(longs(sample.get("targets"))))
                .hasSize(pairs)
                .allMatch(value -> value >= 128 && value <= 255);
        assertThat(sample).containsEntry("vocabulary", 256L);
    }

    @Test
    void mqarUsesNoMoreIdsThanZoology() throws IOException {
        Task task = Tasks.create("mqar", TaskOptions.DEFAULT.withLimit(3));
        LanguageModel large = SmallModel.create(manager, 10_000);
        TaskRun run = TaskRun.of(task, large, null, manager, 1);
        assertThat(run.samples())
                .allSatisfy(
                        sample -> {
                            assertThat(sample).containsEntry("vocabulary", 8192L);
                            assertThat(LongStream.of(longs(sample.get("targets"))))
                                    .allMatch(value -> value >= 4096 && value <= 8191);
                        });
    }

    @Test
    void defaultSizesAreThoseOfTheDefinitions() throws IOException {
        assertThat(Tasks.create("mqar", TaskOptions.DEFAULT).documents().size()).isEqualTo(3000);
        assertThat(longs(run("selective_copying", 0, 1, 1).samples().get(0).get("ids")))
                .hasSize(1024);
        assertThat(longs(run("induction_heads", 0, 1, 1).samples().get(0).get("ids"))).hasSize(256);
    }

    /** Spaces of 16^49 examples or more, so that none is met twice by chance. */
    @ParameterizedTest
    @CsvSource({"mqar, 64", "selective_copying, 64", "induction_heads, 64"})
    void testExamplesAreNotTrainingExamples(String name, int length) throws IOException {
        SyntheticTask generator =
                switch (name) {
                    case "mqar" -> new Mqar(length, 4, VOCABULARY);
                    case "selective_copying" -> new SelectiveCopying(length);
                    default -> new InductionHeads(length);
                };
        for (long seed : new long[] {0, 3}) {
            TaskOptions options =
                    TaskOptions.DEFAULT.withLength(length).withLimit(40).withSeed(seed);
            TaskRun run = TaskRun.of(Tasks.create(name, options), model, null, manager, 8);
            Set<String> examples = new HashSet<>();
            run.samples().forEach(sample -> examples.add(sample.get("ids").toString()));
            assertThat(examples).hasSize(40);
            for (long index = 0; index < 1_000; index++) {
                for (long training : new long[] {seed, ~seed}) {
                    long[] ids = generator.example(training, index).ids();
                    assertThat(examples).doesNotContain(Arrays.toString(ids));
                }
            }
        }
    }

    @Test
    void seedsDrawOtherExamplesAndLimitsTheFirst() throws IOException {
        List<Map<String, Object>> ten = run("induction_heads", 20, 10, 4).samples();
        assertThat(run("induction_heads", 20, 6, 4).samples()).isEqualTo(ten.subList(0, 6));
        TaskOptions other = TaskOptions.DEFAULT.withLength(20).withLimit(10).withSeed(1);
        Task task = Tasks.create("induction_heads", other);
        assertThat(TaskRun.of(task, model, null, manager, 4).samples().get(0).get("ids"))
                .isNotEqualTo(ten.get(0).get("ids"));
    }

    @ParameterizedTest
    @CsvSource({
        "mqar, 15, at least 16",
        "mqar, 65, even",
        "selective_copying, 31, at least 32",
        "induction_heads, 2, at least 3"
    })
    void refusesLengths(String name, int length, String wanted) {
        TaskOptions options = TaskOptions.DEFAULT.withLength(length);
        assertThatThrownBy(() -> Tasks.create(name, options))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(name)
                .hasMessageContaining(wanted)
                .hasMessageContaining("not " + length);
    }

    @ParameterizedTest
    @CsvSource({
        "mqar, 64, 9, 9",
        "mqar, 4096, 513, 513",
        "selective_copying, 64, 15, 15",
        "induction_heads, 64, 15, 15"
    })
    void refusesVocabularies(String name, int length, long vocabulary, long greatest)
            throws IOException {
        Task task = Tasks.create(name, TaskOptions.DEFAULT.withLength(length));
        assertThatThrownBy(() -> task.fit(new Traits("tiny", null, vocabulary)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("tiny")
                .hasMessageContaining("up to " + greatest);
        assertThat(task.fit(new Traits("tiny", null, vocabulary + 1))).isNotNull();
    }

    @Test
    void everyLabelIsAsked() throws IOException {
        for (Outcome outcome : run("mqar", 64, 10, 2).outcomes()) {
            long[] ids = longs(outcome.sample().get("ids"));
            long[] places = longs(outcome.sample().get("places"));
            Set<Long> keys = new HashSet<>();
            for (long place : places) {
                keys.add(ids[(int) place]);
            }
            assertThat(keys).containsExactlyInAnyOrder(ids[0], ids[2], ids[4], ids[6]);
            assertThat(LongStream.of(places)).allMatch(place -> place >= 8);
            assertThat(places).doesNotContain(Labels.IGNORED);
            assertThat(outcome.observations())
                    .extracting(Observation::metric)
                    .contains("acc", "exact_match");
        }
    }

    private static TaskRun run(String name, int length, long limit, int batch) throws IOException {
        TaskOptions options = TaskOptions.DEFAULT.withLength(length).withLimit(limit);
        return TaskRun.of(Tasks.create(name, options), model, null, manager, batch);
    }

    /** What the model itself generates after each place. */
    private static long[] next(long[] ids, long[] places) {
        List<long[]> prompts =
                LongStream.of(places)
                        .mapToObj(place -> Arrays.copyOf(ids, (int) place + 1))
                        .toList();
        return new Scorer(model, new ByteTokenizer(), manager, prompts.size())
                .generate(prompts, GenerationConfig.builder().optMaxNewTokens(1).build()).stream()
                        .mapToLong(result -> result.ids().get(0))
                        .toArray();
    }

    private static long[] longs(Object list) {
        return ((List<?>) list).stream().mapToLong(value -> ((Number) value).longValue()).toArray();
    }

    private static double mean(List<Double> values) {
        return values.stream().mapToDouble(value -> value).average().orElseThrow();
    }
}
