package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.score.Likelihood;
import dev.recurrent.evaluation.score.StreamingScorer;
import dev.recurrent.evaluation.task.Measured;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Progress;
import dev.recurrent.evaluation.task.Subject;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.Tasks;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PerplexityTest {

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
        Measured measured = measure(text, 0);
        Likelihood likelihood = likelihood(bytes);
        double sum = likelihood.sum();
        double error = likelihood.standardError();
        assertThat(measured.tokens()).isEqualTo(bytes.length - 1);
        assertMetric(measured, 0, "token_perplexity", Math.exp(sum / (bytes.length - 1)));
        assertMetric(measured, 1, "word_perplexity", Math.exp(sum / 6));
        assertMetric(measured, 2, "byte_perplexity", Math.exp(sum / bytes.length));
        assertMetric(measured, 3, "bits_per_byte", sum / bytes.length / Math.log(2));
        Metric words = measured.metrics().get(1);
        assertThat(words.standardError()).isCloseTo(words.value() * error / 6, within(1e-9));
        assertThat(measured.stateBytes()).isEqualTo(model.stateBytes(bytes.length - 1));
    }

    @Test
    void readsTextsThatAreLongerThanItsBuffers() throws IOException {
        // An odd prefix, so that buffers end inside characters of two chars.
        String text = "x" + "𝄞".repeat(2_500);
        Measured measured = measure(text, 0);
        Likelihood likelihood = likelihood(text.getBytes(StandardCharsets.UTF_8));
        assertThat(measured.tokens()).isEqualTo(10_000);
        assertMetric(measured, 0, "token_perplexity", Math.exp(likelihood.mean()));
    }

    @Test
    void aLimitCountsLines() throws IOException {
        assertThat(measure("one\ntwo\nthree\n", 2).tokens()).isEqualTo(7);
    }

    @Test
    void refusesMissingInput() {
        assertThatThrownBy(() -> Tasks.create("perplexity", new TaskOptions(null, 0)))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("--text");
        assertThatThrownBy(() -> measure("x", 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("one token");
    }

    private Measured measure(String text, long limit) throws IOException {
        Path file = Files.writeString(folder.resolve("text.txt"), text);
        Subject subject = new Subject(model, new ByteTokenizer(), manager);
        return Tasks.create("perplexity", new TaskOptions(file, limit))
                .measure(subject, Progress.NONE);
    }

    private Likelihood likelihood(byte[] bytes) {
        try (StreamingScorer scorer = new StreamingScorer(model, manager)) {
            for (byte value : bytes) {
                scorer.add(Byte.toUnsignedLong(value));
            }
            return scorer.finish();
        }
    }

    /** The same sums in the same order: only the float64 arithmetic after them may differ. */
    private static void assertMetric(Measured measured, int index, String name, double value) {
        Metric metric = measured.metrics().get(index);
        assertThat(metric.name()).isEqualTo(name);
        assertThat(metric.direction()).isEqualTo(Metric.Direction.LOWER);
        assertThat(metric.value()).isCloseTo(value, within(1e-9 * value));
    }
}
