package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.score.StreamingScorer;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Tally;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PerplexityTest {

    /** Sums of some hundred fp32 likelihoods, rounded differently in other batches. */
    private static final double ROUNDING = 1e-6;

    @TempDir private Path folder;
    private NDManager manager;
    private LanguageModel model;

    @BeforeEach
    void create() {
        manager = NDManager.newBaseManager();
        model = SmallModel.create(manager);
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @Test
    void followsItsDefinitions() throws IOException {
        String text = "Ein Fluß hat\nkeinen Namen. 𝄞";
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Tally tally = measure(text, TaskOptions.DEFAULT, 1);
        double sum = sum(costs(bytes));
        assertThat(tally.tokens()).isEqualTo(bytes.length - 1);
        assertEstimate(tally, "token_perplexity", Math.exp(sum / (bytes.length - 1)), 1e-12);
        assertEstimate(tally, "word_perplexity", Math.exp(sum / 6), 1e-12);
        assertEstimate(tally, "byte_perplexity", Math.exp(sum / bytes.length), 1e-12);
        assertEstimate(tally, "bits_per_byte", sum / bytes.length / Math.log(2), 1e-12);
        assertThat(tally.stateBytes()).isEqualTo(model.stateBytes(bytes.length - 1));
    }

    @ParameterizedTest
    @CsvSource({"7, 7", "7, 2", "7, 1", "64, 48", "200, 200", "1, 1"})
    void windowsScoreEveryTokenOnceFromTheirOwnContext(int length, int stride) throws IOException {
        String text = "The river has no name, and nobody asks it for one. ".repeat(3);
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        List<Double> expected = new ArrayList<>();
        for (int start = 0; expected.size() < bytes.length - 1; start += stride) {
            byte[] window =
                    Arrays.copyOfRange(bytes, start, Math.min(start + length + 1, bytes.length));
            double[] costs = costs(window);
            for (int i = expected.size() - start; i < costs.length; i++) {
                expected.add(costs[i]);
            }
        }
        double mean = expected.stream().mapToDouble(x -> x).average().orElseThrow();
        TaskOptions options = TaskOptions.DEFAULT.withLength(length).withStride(stride);
        for (int batch : new int[] {1, 8}) {
            Tally tally = measure(text, options, batch);
            assertEstimate(tally, "token_perplexity", Math.exp(mean), ROUNDING);
            assertThat(tally.stateBytes())
                    .isEqualTo(model.stateBytes(Math.min(length, bytes.length - 1)));
        }
    }

    @Test
    void partsTellPositions() throws IOException {
        String text = "abcdefghij".repeat(70);
        double[] costs = costs(text.getBytes(StandardCharsets.UTF_8));
        Tally tally = measure(text, TaskOptions.DEFAULT, 1);
        List<Estimate> parts = tally.parts();
        assertThat(parts)
                .extracting(part -> part.bucket().label())
                .containsExactly("0-63", "64-127", "128-255", "256-511", "512-1023");
        for (Estimate part : parts) {
            // Token p, counted from 0, has p tokens before it, and its cost stands at p − 1.
            int from = (int) Math.max(1, part.bucket().from()) - 1;
            int to = (int) Math.min(part.bucket().to() - 1, costs.length);
            double mean = Arrays.stream(costs, from, to).average().orElseThrow();
            assertThat(part.value()).isCloseTo(Math.exp(mean), within(1e-12 * Math.exp(mean)));
        }
    }

    @Test
    void severalDocumentsAreOneSum() throws IOException {
        String[] texts = {"one two three", "vier fünf", "A line. ".repeat(60)};
        double sum = 0;
        long bytes = 0;
        List<String> lines = new ArrayList<>();
        for (String text : texts) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            sum += sum(costs(utf8));
            bytes += utf8.length;
            lines.add("{\"text\": \"" + text + "\"}");
        }
        Path file = Files.write(folder.resolve("texts.jsonl"), lines);
        Tally tally = measure(file, TaskOptions.DEFAULT, 2);
        assertThat(tally.documents()).isEqualTo(3);
        assertEstimate(tally, "byte_perplexity", Math.exp(sum / bytes), 1e-12);
        assertThat(measure(file, TaskOptions.DEFAULT.withLimit(2), 2).documents()).isEqualTo(2);
    }

    @Test
    void readsTextsThatAreLongerThanItsBuffers() throws IOException {
        // An odd prefix, so that buffers end inside characters of two chars.
        String text = "x" + "𝄞".repeat(2_500);
        Tally tally = measure(text, TaskOptions.DEFAULT, 1);
        assertThat(tally.tokens()).isEqualTo(10_000);
        double mean = sum(costs(text.getBytes(StandardCharsets.UTF_8))) / 10_000;
        assertEstimate(tally, "token_perplexity", Math.exp(mean), 1e-12);
    }

    @Test
    void aLimitCountsLines() throws IOException {
        TaskOptions two = TaskOptions.DEFAULT.withLimit(2);
        assertThat(measure("one\ntwo\nthree\n", two, 1).tokens()).isEqualTo(7);
    }

    @Test
    void withoutATextItIsThePlayInTheJar() throws IOException {
        Document play = Tasks.create("perplexity", TaskOptions.DEFAULT).documents().read().next();
        assertThat(play.text().string()).startsWith("A river bank").hasSizeGreaterThan(18_000);
    }

    @Test
    void refusesBadInput() {
        assertThatThrownBy(() -> measure("x", TaskOptions.DEFAULT, 1))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("one token");
        assertThatThrownBy(() -> TaskOptions.DEFAULT.withLength(8).withStride(9))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("stride");
        Path broken = folder.resolve("broken.jsonl");
        assertThatThrownBy(
                        () ->
                                measure(
                                        Files.writeString(
                                                broken,
                                                "{\"text\": \"a b\"}\n\n{\"txt\": \"c\"}\n"),
                                        TaskOptions.DEFAULT,
                                        1))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("broken.jsonl, line 3")
                .hasMessageContaining("txt");
    }

    private Tally measure(String text, TaskOptions options, int batch) throws IOException {
        return measure(Files.writeString(folder.resolve("text.txt"), text), options, batch);
    }

    private Tally measure(Path file, TaskOptions options, int batch) throws IOException {
        Task task = Tasks.create("perplexity", options.withText(file));
        return TaskRun.of(task, model, new ByteTokenizer(), manager, batch).tally();
    }

    private double[] costs(byte[] bytes) {
        List<Double> costs = new ArrayList<>();
        try (StreamingScorer scorer =
                new StreamingScorer(model, manager, (position, nll) -> costs.add(nll))) {
            for (byte value : bytes) {
                scorer.add(Byte.toUnsignedLong(value));
            }
            scorer.finish();
        }
        return costs.stream().mapToDouble(x -> x).toArray();
    }

    private static double sum(double[] values) {
        return Arrays.stream(values).sum();
    }

    private static void assertEstimate(Tally tally, String name, double value, double error) {
        Estimate estimate =
                tally.wholes().stream()
                        .collect(Collectors.toMap(e -> e.metric().name(), e -> e))
                        .get(name);
        assertThat(estimate.value()).isCloseTo(value, within(error * value));
    }
}
