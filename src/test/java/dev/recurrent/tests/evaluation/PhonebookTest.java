package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.TextDecoder;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PhonebookTest {

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
    @ValueSource(ints = {256, 1024})
    void aBookIsFollowedByTwoAnswersAndAQuestion(int length) throws IOException {
        for (Map<String, Object> sample : run(length, 10, 8).samples()) {
            List<String> lines = ((String) sample.get("prompt")).lines().toList();
            int entries = (int) sample.get("entries");
            assertThat(lines.get(0)).isEqualTo("Phone book:");
            Map<String, String> book = new HashMap<>();
            for (String line : lines.subList(1, entries + 1)) {
                assertThat(line).matches("[A-Z][a-z]+ [A-Z][a-z]+: [2-9]\\d\\d-[2-9]\\d\\d-\\d{4}");
                String[] entry = line.split(": ");
                assertThat(book.put(entry[0], entry[1])).as("a name once").isNull();
            }
            String asked = (String) sample.get("name");
            assertThat(lines.get(1 + (int) sample.get("entry"))).startsWith(asked + ": ");
            assertThat((int) sample.get("entry"))
                    .isEqualTo((int) Math.round((entries - 1) * (int) sample.get("depth") / 100.0));
            assertThat(book).containsEntry(asked, (String) sample.get("number"));
            assertThat(lines.subList(entries + 1, entries + 3))
                    .containsExactly("", "Numbers asked for:");
            Set<String> names = new HashSet<>(Set.of(asked));
            for (String line : lines.subList(entries + 3, entries + 5)) {
                String[] entry = line.split(": ");
                assertThat(book).containsEntry(entry[0], entry[1]);
                assertThat(names.add(entry[0])).as("another person").isTrue();
            }
            assertThat(lines).hasSize(entries + 6);
            assertThat(lines.get(entries + 5)).isEqualTo(asked + ":");
        }
    }

    /** Up to the three names of the questions, which may change with one more entry. */
    @ParameterizedTest
    @ValueSource(ints = {300, 1024})
    void theBookIsAsLongAsFits(int length) throws IOException {
        List<Map<String, Object>> samples = run(length, 6, 8).samples();
        List<Map<String, Object>> longer = run(length + 400, 6, 8).samples();
        for (int i = 0; i < 6; i++) {
            Map<String, Object> sample = samples.get(i);
            String prompt = (String) sample.get("prompt");
            int tokens = prompt.length() + 1 + ((String) sample.get("number")).length();
            assertThat(sample).containsEntry("tokens", tokens);
            assertThat(tokens).isLessThanOrEqualTo(length);
            // A longer book begins with the shorter one; its next entry is the one left out here.
            int entries = (int) sample.get("entries");
            List<String> lines = ((String) longer.get(i).get("prompt")).lines().toList();
            assertThat(String.join("\n", lines))
                    .startsWith(prompt.substring(0, prompt.indexOf("\n\n")));
            String next = lines.get(1 + entries);
            // A name has 6 to 16 bytes.
            assertThat(tokens + next.length() + 1).isGreaterThan(length - 3 * (16 - 6));
        }
    }

    /**
     * All weights are zero, so that the model finds all tokens equal and takes id 0. Every
     * character is id 0 but "7": numbers without a 7 are right.
     */
    @ParameterizedTest
    @ValueSource(ints = {1, 8})
    void isRightWhereEveryTokenIs(int batch) throws IOException {
        LanguageModel zero = SmallModel.create(manager, 2);
        zero.getParameters().values().forEach(p -> p.getArray().muli(0));
        Task task = Tasks.create("phonebook", options(400, 60));
        TaskRun run = TaskRun.of(task, zero, new SevenTokenizer(), manager, batch);
        double right = 0;
        Map<String, int[]> parts = new HashMap<>();
        for (Map<String, Object> sample : run.samples()) {
            boolean isRight = !((String) sample.get("number")).contains("7");
            right += isRight ? 1 : 0;
            int from = Math.min(90, (int) sample.get("depth") / 10 * 10);
            int[] part =
                    parts.computeIfAbsent(
                            from + "-" + (from == 90 ? 100 : from + 9), key -> new int[2]);
            part[0] += isRight ? 1 : 0;
            part[1]++;
        }
        assertThat(right).isBetween(1.0, 59.0);
        // A ratio of small integers.
        assertThat(run.value("exact_match")).isCloseTo(right / 60, within(1e-12));
        assertThat(run.parts("depth")).hasSize(10).hasSameSizeAs(parts);
        parts.forEach(
                (label, part) ->
                        assertThat(run.parts("depth").get(label))
                                .isCloseTo((double) part[0] / part[1], within(1e-12)));
    }

    /** Up to the first fault, at least for one token, both have seen the same. */
    @Test
    void predictionsBeginAsGenerationDoes() throws IOException {
        ByteTokenizer tokenizer = new ByteTokenizer();
        for (Map<String, Object> sample : run(300, 6, 2).samples()) {
            String generated =
                    new Scorer(model, tokenizer, manager, 1)
                            .generate(
                                    List.of(tokenizer.encode((String) sample.get("prompt"))),
                                    GenerationConfig.builder().optMaxNewTokens(13).build())
                            .get(0)
                            .text();
            String predicted = (String) sample.get("predicted");
            assertThat(generated.charAt(0)).isEqualTo(predicted.charAt(0));
        }
    }

    @Test
    void batchesDoNotMatterAndLimitsCutTheEnd() throws IOException {
        TaskRun alone = run(500, 10, 1);
        assertThat(run(500, 10, 8).outcomes()).isEqualTo(alone.outcomes());
        assertThat(run(500, 7, 8).samples()).isEqualTo(alone.samples().subList(0, 7));
        assertThat(alone.tally().tokens())
                .isEqualTo(
                        alone.samples().stream().mapToLong(s -> (int) s.get("tokens") - 1L).sum());
        Task other = Tasks.create("phonebook", options(500, 7).withSeed(2));
        assertThat(TaskRun.of(other, model, new ByteTokenizer(), manager, 8).samples())
                .doesNotContainAnyElementsOf(alone.samples());
    }

    @Test
    void refusesWhatCannotBeAsked() throws IOException {
        Traits traits = new Traits("tiny", new ByteTokenizer(), 256);
        Task shorter = Tasks.create("phonebook", options(100, 0));
        assertThatThrownBy(() -> shorter.fit(traits))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("at least")
                .hasMessageContaining("tiny")
                .hasMessageContaining("not 100");
        Task longer = Tasks.create("phonebook", options(10_000_000, 0));
        assertThatThrownBy(() -> longer.fit(traits))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("10000000");
        assertThatThrownBy(() -> shorter.fit(new Traits("tiny", null, 16)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("no tokenizer");
        assertThat(shorter.documents().size()).isEqualTo(200);
    }

    private static TaskOptions options(int length, long limit) {
        return TaskOptions.DEFAULT.withLength(length).withLimit(limit);
    }

    private static TaskRun run(int length, long limit, int batch) throws IOException {
        Task task = Tasks.create("phonebook", options(length, limit));
        return TaskRun.of(task, model, new ByteTokenizer(), manager, batch);
    }

    /** Characters, of which there are two: "7", and others. */
    private static final class SevenTokenizer implements Tokenizer {

        @Override
        public long[] encode(String text) {
            return text.chars().mapToLong(character -> character == '7' ? 1 : 0).toArray();
        }

        @Override
        public String decode(long[] ids) {
            // Pretends that numbers come back, so that the task takes it.
            return "0123456789-";
        }

        @Override
        public TextDecoder newDecoder() {
            return new ByteTokenizer().newDecoder();
        }

        @Override
        public long vocabulary() {
            return 2;
        }

        @Override
        public Set<Long> endOfText() {
            return Set.of();
        }
    }
}
