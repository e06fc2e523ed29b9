package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.tests.text.TokenizerFiles;
import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.JsonTokenizer;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NeedleTest {

    private static final int ANSWER = 128;
    private static final String NOISE =
            "The grass is green. The sky is blue. The sun is yellow. Here we go."
                    + " There and back again.";
    private static final String UUID =
            "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

    @TempDir private Path folder;
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
    @CsvSource({"niah_single_1, number", "niah_single_2, number", "niah_single_3, uuid"})
    void asksInRulersWords(String name, String noun) throws IOException {
        for (Map<String, Object> sample : samples(name, 800, 12)) {
            String key = (String) sample.get("key");
            String value = (String) sample.get("value");
            String prompt = (String) sample.get("prompt");
            assertThat(key).matches("[a-z]+-[a-z]+");
            assertThat(value).matches(noun.equals("uuid") ? UUID : "[1-9][0-9]{6}");
            assertThat(prompt)
                    .startsWith(
                            "A special magic "
                                    + noun
                                    + " is hidden within the following text. Make sure to memorize"
                                    + " it. I will quiz you about the "
                                    + noun
                                    + " afterwards.\n")
                    .endsWith(
                            "\nWhat is the special magic "
                                    + noun
                                    + " for "
                                    + key
                                    + " mentioned in the provided text? The special magic "
                                    + noun
                                    + " for "
                                    + key
                                    + " mentioned in the provided text is")
                    .containsOnlyOnce(needle(sample))
                    .containsOnlyOnce(value);
        }
    }

    @Test
    void theNeedleStandsAtItsDepthAmongNoise() throws IOException {
        for (Map<String, Object> sample : samples("niah_single_1", 1600, 10)) {
            List<String> lines = context(sample).lines().toList();
            int others = lines.size() - 1;
            assertThat(lines.indexOf(needle(sample)))
                    .isEqualTo(others * (int) sample.get("depth") / 100);
            assertThat(Collections.frequency(lines, NOISE)).isEqualTo(others).isGreaterThan(10);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"niah_single_2", "niah_single_3"})
    void theNeedleStandsBetweenSentencesOfProse(String name) throws IOException {
        String text = text();
        TaskOptions options = options(1300, 10).withText(write(text));
        for (Map<String, Object> sample : samples(name, options)) {
            String context = context(sample);
            String[] around = context.split(Pattern.quote(needle(sample)), -1);
            String before = around[0].strip();
            String after = around[1].strip();
            String hay = (before + " " + after).strip();
            // Words of a sentence have no full stop, so these are its sentences.
            int all = hay.split("(?<=\\.) ").length;
            int first = before.isEmpty() ? 0 : before.split("(?<=\\.) ").length;
            assertThat(first).isEqualTo(all * (int) sample.get("depth") / 100);
            assertThat((text.replaceAll("\\s+", " ") + " ").repeat(3)).startsWith(hay);
        }
    }

    @Test
    void aTextThatIsTooShortBeginsAgain() throws IOException {
        TaskOptions options = options(900, 3).withText(write("Nobody came.\n\nThe lamp was lit. "));
        for (Map<String, Object> sample : samples("niah_single_2", options)) {
            String hay = context(sample).replace(needle(sample), "").strip().replace("  ", " ");
            assertThat("Nobody came. The lamp was lit. ".repeat(40)).startsWith(hay);
            assertThat(hay.length()).isGreaterThan(100);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "niah_single_1, 700",
        "niah_single_2, 700",
        "niah_single_3, 801",
        "niah_single_1, 1100",
        "niah_single_2, 1100",
        "niah_single_3, 1101"
    })
    void theHaystackIsAsLongAsFits(String name, int length) throws IOException {
        TaskOptions options = options(length, 3).withText(write(text()));
        assertLongest(name, length, options, new ByteTokenizer(), model);
        TokenizerFiles.writeByteLevel(folder);
        try (Tokenizer tokenizer = JsonTokenizer.open(folder.resolve("tokenizer.json"))) {
            LanguageModel larger = SmallModel.create(manager, tokenizer.vocabulary());
            assertLongest(name, length, options, tokenizer, larger);
        }
    }

    private void assertLongest(
            String name, int length, TaskOptions options, Tokenizer tokenizer, LanguageModel asked)
            throws IOException {
        Task task = Tasks.create(name, options);
        for (Map<String, Object> sample :
                run(task, ScriptedTokenizer.silent(tokenizer), asked, 8).samples()) {
            String prompt = (String) sample.get("prompt");
            int tokens = tokenizer.encode(prompt).length;
            assertThat(sample).containsEntry("prompt_tokens", tokens);
            assertThat(tokens + ANSWER).isLessThanOrEqualTo(length);
            assertThat(tokenizer.encode(withMore(name, sample)).length + ANSWER)
                    .isGreaterThan(length);
        }
    }

    /** The prompt with one more piece of haystack, wherever it stands. */
    private static String withMore(String name, Map<String, Object> sample) {
        String prompt = (String) sample.get("prompt");
        String question = "\nWhat is the special magic";
        if (name.equals("niah_single_1")) {
            return prompt.replace(question, "\n" + NOISE + question);
        }
        String text = text().replaceAll("\\s+", " ");
        String hay = context(sample).replace(needle(sample), "").strip().replace("  ", " ");
        String rest = (text + " ").repeat(3).substring(hay.length()).strip();
        return prompt.replace(question, " " + rest.split(" ")[0] + question);
    }

    @Test
    void depthsAreFortyAndTakenEvenlyFromTheStart() throws IOException {
        List<Integer> depths =
                samples("niah_single_1", 640, 80).stream()
                        .map(sample -> (Integer) sample.get("depth"))
                        .toList();
        List<Integer> expected =
                IntStream.range(0, 40).mapToObj(i -> (int) Math.rint(i * 100 / 39.0)).toList();
        for (List<Integer> round : List.of(depths.subList(0, 40), depths.subList(40, 80))) {
            assertThat(round).containsExactlyInAnyOrderElementsOf(expected);
        }
        for (int half : new int[] {0, 50}) {
            assertThat(depths.subList(0, 6)).anyMatch(depth -> depth >= half && depth < half + 50);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 8})
    void aValueAnywhereInTheAnswerIsFound(int batch) throws IOException {
        List<Map<String, Object>> asked = samples("niah_single_3", 900, 6);
        List<String> values = asked.stream().map(s -> (String) s.get("value")).toList();
        List<String> script = IntStream.range(0, 6).mapToObj(i -> say(values.get(i), i)).toList();
        Task task = Tasks.create("niah_single_3", options(900, 6));
        Tokenizer cheating = ScriptedTokenizer.saying(new ByteTokenizer(), script);
        TaskRun run = run(task, cheating, model, batch);
        assertThat(run.samples())
                .extracting(sample -> sample.get("found"))
                .containsExactlyElementsOf(
                        IntStream.range(0, 6).mapToObj(i -> (Object) (i < 4)).toList());
        assertThat(run.value("acc")).isEqualTo(4 / 6.0);
        Map<String, Double> parts = run.parts("depth");
        assertThat(parts).hasSize(6);
        for (int i = 0; i < 6; i++) {
            assertThat(parts.get(asked.get(i).get("depth").toString())).isEqualTo(i < 4 ? 1 : 0);
        }
        // Found at once in the case that the text has it, so one token is generated; else all.
        long generated = 0;
        for (int i = 0; i < 6; i++) {
            int prompt = (int) asked.get(i).get("prompt_tokens");
            generated += prompt + (i < 3 ? 1 : ANSWER) - 1;
        }
        assertThat(run.tally().tokens()).isEqualTo(generated);
    }

    /** Four answers with the value in them, and two without. */
    private static String say(String value, int which) {
        return switch (which) {
            case 0 -> " " + value + ".";
            case 1 -> "one is: " + value;
            case 2 -> value + value;
            case 3 -> value.toUpperCase(Locale.ROOT);
            case 4 -> value.substring(0, value.length() - 1);
            default -> "no idea";
        };
    }

    @Test
    void batchesDoNotMatterAndLimitsCutTheEnd() throws IOException {
        Task task = Tasks.create("niah_single_2", options(700, 5));
        TaskRun alone = run(task, new ByteTokenizer(), model, 1);
        TaskRun together = run(task, new ByteTokenizer(), model, 8);
        assertThat(together.outcomes()).isEqualTo(alone.outcomes());
        assertThat(pairs(samples("niah_single_2", 700, 4)))
                .isEqualTo(pairs(alone.samples()).subList(0, 4));
        assertThat(alone.samples())
                .allSatisfy(sample -> assertThat(sample).containsEntry("found", false));
    }

    @Test
    void keysAndValuesBelongToSeedAndDocumentAlone() throws IOException {
        List<Map<String, Object>> few = samples("niah_single_1", 900, 20);
        List<Map<String, Object>> longer = samples("niah_single_2", 1300, 20);
        List<Map<String, Object>> other = samples("niah_single_1", options(900, 20).withSeed(1));
        assertThat(pairs(few)).isEqualTo(pairs(longer)).doesNotContainAnyElementsOf(pairs(other));
        Set<String> distinct = new HashSet<>(pairs(few));
        assertThat(distinct).hasSize(20);
    }

    @ParameterizedTest
    @ValueSource(strings = {"niah_single_1", "niah_single_2", "niah_single_3"})
    void namesTheLeastLength(String name) throws IOException {
        Traits traits = new Traits("tiny", new ByteTokenizer(), 256);
        Task task = Tasks.create(name, options(256, 0));
        String message =
                catchThrowableOfType(InvalidInputException.class, () -> task.fit(traits))
                        .getMessage();
        assertThat(message).contains(name).contains("tiny").contains("not 256");
        Matcher number = Pattern.compile("at least (\\d+)").matcher(message);
        assertThat(number.find()).isTrue();
        int least = Integer.parseInt(number.group(1));
        assertThat(Tasks.create(name, options(least, 0)).fit(traits)).isNotNull();
        Task shorter = Tasks.create(name, options(least - 1, 0));
        assertThatThrownBy(() -> shorter.fit(traits)).isInstanceOf(InvalidInputException.class);
    }

    @Test
    void refusesModelsWithoutTextAndTextsThatAreMissing() throws IOException {
        Task task = Tasks.create("niah_single_1", TaskOptions.DEFAULT);
        assertThat(task.documents().size()).isEqualTo(80);
        assertThatThrownBy(() -> task.fit(new Traits("tiny", null, 16)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("no tokenizer");
        TaskOptions missing = TaskOptions.DEFAULT.withText(folder.resolve("none.txt"));
        assertThatThrownBy(() -> Tasks.create("niah_single_2", missing))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("none.txt");
    }

    private static List<String> pairs(List<Map<String, Object>> samples) {
        return samples.stream().map(s -> s.get("key") + " " + s.get("value")).toList();
    }

    private static String needle(Map<String, Object> sample) {
        String value = (String) sample.get("value");
        return "One of the special magic "
                + (value.contains("-") ? "uuids" : "numbers")
                + " for "
                + sample.get("key")
                + " is: "
                + value
                + ".";
    }

    private static String context(Map<String, Object> sample) {
        String prompt = (String) sample.get("prompt");
        return prompt.substring(prompt.indexOf('\n') + 1, prompt.lastIndexOf('\n'));
    }

    /** Sentences of one to nine words, over several lines. */
    private static String text() {
        return IntStream.range(0, 150)
                .mapToObj(i -> "Sentence " + "has words ".repeat(i % 5) + "thus" + i + ".")
                .collect(Collectors.joining("\n"));
    }

    private Path write(String text) throws IOException {
        return Files.writeString(folder.resolve("text.txt"), text);
    }

    private static TaskOptions options(int length, long limit) {
        return TaskOptions.DEFAULT.withLength(length).withLimit(limit);
    }

    private static List<Map<String, Object>> samples(String name, int length, long limit)
            throws IOException {
        return samples(name, options(length, limit));
    }

    private static List<Map<String, Object>> samples(String name, TaskOptions options)
            throws IOException {
        Tokenizer silent = ScriptedTokenizer.silent(new ByteTokenizer());
        return run(Tasks.create(name, options), silent, model, 8).samples();
    }

    private static TaskRun run(Task task, Tokenizer tokenizer, LanguageModel asked, int batch)
            throws IOException {
        return TaskRun.of(task, asked, tokenizer, manager, batch);
    }
}
