package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import com.google.gson.Gson;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.tests.text.TokenizerFiles;
import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.JsonTokenizer;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QuestionTaskTest {

    /** Sums of up to 40 fp32 log-likelihoods of order 5, rounded differently in other batches. */
    private static final double ROUNDING = 2e-4;

    private static final int QUESTIONS = 21;

    private static NDManager manager;
    private static LanguageModel model;

    @TempDir private Path folder;

    @BeforeAll
    static void open() {
        manager = NDManager.newBaseManager();
        model = SmallModel.create(manager);
    }

    @AfterAll
    static void close() {
        manager.close();
    }

    @Test
    void scoresEachChoiceAsIfAlone() throws IOException {
        List<Map<String, Object>> questions = questions(QUESTIONS);
        List<double[]> expected = new ArrayList<>();
        int right = 0;
        int rightForLength = 0;
        int rightForBytes = 0;
        long tokens = 0;
        for (Map<String, Object> question : questions) {
            String context = (String) question.get("context");
            List<String> choices = choices(question);
            double[] sums = new double[choices.size()];
            double[] perCharacter = new double[choices.size()];
            double[] perByte = new double[choices.size()];
            tokens += bytes(context).length;
            for (int j = 0; j < sums.length; j++) {
                int scored = bytes(" " + choices.get(j)).length;
                sums[j] = logLikelihood(bytes(context + " " + choices.get(j)), scored);
                perCharacter[j] = sums[j] / choices.get(j).codePoints().count();
                perByte[j] = sums[j] / bytes(choices.get(j)).length;
                tokens += scored - 1;
            }
            expected.add(sums);
            int answer = (int) question.get("answer");
            right += greatest(sums) == answer ? 1 : 0;
            rightForLength += greatest(perCharacter) == answer ? 1 : 0;
            rightForBytes += greatest(perByte) == answer ? 1 : 0;
        }
        // They differ, or one could stand for the other unnoticed.
        assertThat(List.of(right, rightForLength, rightForBytes)).doesNotHaveDuplicates();
        for (int batch : new int[] {1, 3, 8}) {
            TaskRun asked = ask("multiple_choice", questions, TaskOptions.DEFAULT, batch);
            assertThat(asked.value("acc")).isEqualTo((double) right / QUESTIONS);
            assertThat(asked.value("acc_norm")).isEqualTo((double) rightForLength / QUESTIONS);
            assertThat(asked.tally().tokens()).isEqualTo(tokens);
            for (int i = 0; i < QUESTIONS; i++) {
                assertThat(asked.logLikelihoods(i).stream().mapToDouble(x -> x).toArray())
                        .containsExactly(expected.get(i), within(ROUNDING));
            }
        }
    }

    @Test
    void scoresTheRestOfASentenceAfterEachName() throws IOException {
        List<Map<String, Object>> lines =
                List.of(
                        Map.of(
                                "sentence", "Ann met Bo since _ was late.",
                                "option1", "Ann",
                                "option2", "Bo",
                                "answer", "2"));
        TaskRun asked = ask("winogrande", lines, TaskOptions.DEFAULT, 4);
        String rest = " was late.";
        double[] sums = {
            logLikelihood(bytes("Ann met Bo since Ann" + rest), rest.length()),
            logLikelihood(bytes("Ann met Bo since Bo" + rest), rest.length())
        };
        assertThat(asked.logLikelihoods(0).get(0)).isCloseTo(sums[0], within(ROUNDING));
        assertThat(asked.logLikelihoods(0).get(1)).isCloseTo(sums[1], within(ROUNDING));
        assertThat(asked.value("acc")).isEqualTo(greatest(sums) == 1 ? 1 : 0);
    }

    @Test
    void anEmptyChoiceIsNeverTheLikeliestForItsLength() throws IOException {
        List<Map<String, Object>> lines = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            lines.add(Map.of("context", "c" + i, "choices", List.of("", "word"), "answer", 1));
        }
        TaskRun asked = ask("multiple_choice", lines, TaskOptions.DEFAULT, 4);
        assertThat(asked.value("acc_norm")).isEqualTo(1);
        // One byte is likelier than five: the model itself would choose it somewhere.
        assertThat(asked.value("acc")).isLessThan(1);
    }

    @Test
    void theLastWordIsGreedyWhereNoTokenIsLikelier() throws IOException {
        String[] words = {"river", "stone", "bird", "night"};
        int vocabulary = TokenizerFiles.writeWords(folder, words);
        LanguageModel reader = SmallModel.create(manager, vocabulary);
        Random random = new Random(5);
        List<Map<String, Object>> lines = new ArrayList<>();
        int right = 0;
        double cost = 0;
        for (int i = 0; i < 24; i++) {
            long[] row = new long[4 + i % 3];
            row[0] = 1;
            StringBuilder text = new StringBuilder();
            for (int t = 1; t < row.length; t++) {
                int word = random.nextInt(words.length);
                row[t] = word + 2;
                text.append(t == 1 ? "" : " ").append(words[word]);
            }
            lines.add(Map.of("text", text.toString()));
            double[] all = new double[vocabulary];
            int last = (int) row[row.length - 1];
            for (int id = 0; id < vocabulary; id++) {
                row[row.length - 1] = id;
                all[id] = SmallModel.logLikelihood(reader, manager, row, 1);
            }
            right += greatest(all) == last ? 1 : 0;
            cost -= all[last];
        }
        assertThat(right).isBetween(1, 23);
        try (Tokenizer tokenizer = JsonTokenizer.open(folder.resolve("tokenizer.json"))) {
            write("lambada", lines);
            TaskRun asked =
                    TaskRun.of(
                            Tasks.create("lambada", TaskOptions.DEFAULT.withData(folder)),
                            reader,
                            tokenizer,
                            manager,
                            8);
            assertThat(asked.value("acc")).isCloseTo(right / 24.0, within(1e-12));
            double perplexity = Math.exp(cost / 24);
            assertThat(asked.value("perplexity"))
                    .isCloseTo(perplexity, within(ROUNDING * perplexity));
        }
    }

    @Test
    void examplesAreAFunctionOfSeedAndQuestion() throws IOException {
        TaskOptions three = TaskOptions.DEFAULT.withShots(3).withSeed(4);
        List<Map<String, Object>> questions = questions(12);
        TaskRun asked = ask("multiple_choice", questions, three, 1);
        TaskRun again = ask("multiple_choice", questions, three.withLimit(5), 8);
        assertThat(again.outcomes()).hasSize(5);
        List<String> shown =
                questions.stream()
                        .map(q -> q.get("context") + " " + choices(q).get((int) q.get("answer")))
                        .toList();
        for (int i = 0; i < questions.size(); i++) {
            String context = asked.strings(i, "contexts").get(0);
            String[] parts = context.split("\n\n", -1);
            assertThat(parts).hasSize(4).doesNotHaveDuplicates();
            assertThat(parts[3]).isEqualTo(questions.get(i).get("context"));
            assertThat(shown).contains(parts[0], parts[1], parts[2]);
            assertThat(parts).doesNotContain(shown.get(i));
            if (i < 5) {
                assertThat(again.strings(i, "contexts")).containsExactly(context);
            }
        }
        TaskRun other = ask("multiple_choice", questions, three.withSeed(5), 8);
        assertThat(contexts(other)).isNotEqualTo(contexts(asked));
        assertThat(contexts(asked).stream().map(text -> text.split("\n\n")[0]).distinct())
                .hasSizeGreaterThan(3);
    }

    @Test
    void examplesComeFromTheirOwnFileWhereThereIsOne() throws IOException {
        List<Map<String, Object>> questions = questions(3);
        write("multiple_choice_train", List.of(example("old", "x"), example("new", "y")));
        TaskRun asked = ask("multiple_choice", questions, TaskOptions.DEFAULT.withShots(2), 2);
        for (int i = 0; i < 3; i++) {
            assertThat(asked.strings(i, "contexts").get(0))
                    .isIn(
                            "old x\n\nnew y\n\n" + questions.get(i).get("context"),
                            "new y\n\nold x\n\n" + questions.get(i).get("context"));
        }
    }

    @Test
    void noExampleGivesTheAnswerAway() throws IOException {
        Map<String, Object> twin = example("twin", "x");
        List<Map<String, Object>> questions =
                List.of(twin, example("one", "y"), twin, example("two", "z"));
        TaskRun asked = ask("multiple_choice", questions, TaskOptions.DEFAULT.withShots(2), 4);
        for (int i : new int[] {0, 2}) {
            assertThat(asked.strings(i, "contexts").get(0))
                    .isIn("one y\n\ntwo z\n\ntwin", "two z\n\none y\n\ntwin");
        }
        assertThatThrownBy(
                        () ->
                                ask(
                                        "multiple_choice",
                                        questions,
                                        TaskOptions.DEFAULT.withShots(3),
                                        4))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("line 1")
                .hasMessageContaining("2 examples");
        assertThatThrownBy(
                        () ->
                                ask(
                                        "multiple_choice",
                                        questions,
                                        TaskOptions.DEFAULT.withShots(4),
                                        4))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("multiple_choice.jsonl has 3 examples");
    }

    private TaskRun ask(
            String task, List<Map<String, Object>> lines, TaskOptions options, int batch)
            throws IOException {
        write(task, lines);
        return TaskRun.of(
                Tasks.create(task, options.withData(folder)),
                model,
                new ByteTokenizer(),
                manager,
                batch);
    }

    private void write(String name, List<Map<String, Object>> lines) throws IOException {
        Files.write(
                folder.resolve(name + ".jsonl"), lines.stream().map(new Gson()::toJson).toList());
    }

    private static List<Map<String, Object>> questions(int count) {
        Random random = new Random(2);
        return IntStream.range(0, count)
                .mapToObj(
                        i ->
                                Map.<String, Object>of(
                                        "context",
                                        "What? " + letters(random, 1 + random.nextInt(60)),
                                        "choices",
                                        IntStream.range(0, 2 + i % 3)
                                                .mapToObj(
                                                        j ->
                                                                letters(random, 1 + 6 * j)
                                                                        + "𝄞"
                                                                                .repeat(
                                                                                        random
                                                                                                .nextInt(
                                                                                                        4)))
                                                .toList(),
                                        "answer",
                                        random.nextInt(2 + i % 3)))
                .toList();
    }

    private static Map<String, Object> example(String context, String right) {
        return Map.of("context", context, "choices", List.of(right, "never"), "answer", 0);
    }

    @SuppressWarnings("unchecked")
    private static List<String> choices(Map<String, Object> question) {
        return (List<String>) question.get("choices");
    }

    private static List<String> contexts(TaskRun asked) {
        return IntStream.range(0, asked.outcomes().size())
                .mapToObj(i -> asked.strings(i, "contexts").get(0))
                .toList();
    }

    private static String letters(Random random, int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append((char) ('a' + random.nextInt(26)));
        }
        return text.toString();
    }

    private static double logLikelihood(long[] row, int scored) {
        return SmallModel.logLikelihood(model, manager, row, scored);
    }

    private static long[] bytes(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return IntStream.range(0, utf8.length)
                .mapToLong(i -> Byte.toUnsignedLong(utf8[i]))
                .toArray();
    }

    private static int greatest(double[] values) {
        double most = Arrays.stream(values).max().orElseThrow();
        return IntStream.range(0, values.length)
                .filter(i -> values[i] == most)
                .findFirst()
                .orElseThrow();
    }
}
