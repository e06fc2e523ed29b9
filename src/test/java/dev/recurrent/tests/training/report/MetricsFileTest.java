package dev.recurrent.tests.training.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.training.report.MetricsFile;
import dev.recurrent.training.report.MetricsFileException;
import dev.recurrent.training.report.RunMetrics;
import dev.recurrent.training.report.RunMetrics.Training;
import dev.recurrent.training.report.RunMetrics.Validation;
import dev.recurrent.training.report.Step;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MetricsFileTest {

    private static final int STEPS = 6;

    @TempDir Path folder;
    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("metrics.jsonl");
    }

    private static Step step(long number) {
        return new Step(number, 100, 5.0 / number, 1e-3 / 3, 0.1 + number, 64, 0.25);
    }

    /** Six steps, with validations after the second, fourth and sixth. */
    private void write() throws IOException {
        try (MetricsFile metrics = MetricsFile.create(file)) {
            writeFrom(metrics, 1);
        }
    }

    private static void writeFrom(MetricsFile metrics, int first) throws IOException {
        for (int i = first; i <= STEPS; i++) {
            metrics.write(step(i));
            if (i % 2 == 0) {
                metrics.writeValidation(i, 4.0 / i, 0.1 * i);
            }
        }
    }

    @Test
    void writesAnObjectALine() throws IOException {
        try (MetricsFile metrics = MetricsFile.create(file)) {
            metrics.write(new Step(1, 9, 5.5, 3e-4, 1.25, 4096, 0.5));
            metrics.write(new Step(2, 9, Double.NaN, 3e-4, Double.POSITIVE_INFINITY, 4096, 1));
            metrics.writeValidation(2, 2.5, 0.25);
            // Before the file is closed: a kill would lose nothing.
            assertThat(file)
                    .hasContent(
                            """
                            {"step":1,"loss":5.5,"learning_rate":3.0E-4,"gradient_norm":1.25,\
                            "tokens":4096,"tokens_per_second":8192.0,"seconds":0.5}
                            {"step":2,"loss":null,"learning_rate":3.0E-4,"gradient_norm":null,\
                            "tokens":8192,"tokens_per_second":4096.0,"seconds":1.5}
                            {"step":2,"validation_loss":2.5,"validation_accuracy":0.25}
                            """);
        }
    }

    @Test
    void readsWhatWasWritten() throws IOException {
        write();
        RunMetrics run = RunMetrics.read(file);
        assertThat(run.training()).hasSize(STEPS);
        assertThat(run.training().get(2))
                .isEqualTo(new Training(3, 5.0 / 3, 1e-3 / 3, 3.1, 192, 256, 0.75));
        assertThat(run.validation())
                .containsExactly(
                        new Validation(2, 2, 0.1 * 2),
                        new Validation(4, 1, 0.1 * 4),
                        new Validation(6, 4.0 / 6, 0.1 * 6));
    }

    @Test
    void whatIsNotThereIsNotANumber() throws IOException {
        Files.writeString(file, "{\"step\":7,\"loss\":null,\"new\":[1]}\n");
        Training training = RunMetrics.read(file).training().get(0);
        assertThat(training.step()).isEqualTo(7);
        assertThat(training.loss()).isNaN();
        assertThat(training.seconds()).isNaN();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 6, 99})
    void aResumedRunLeavesTheFileOfOneThatWasNotStopped(int step) throws IOException {
        write();
        byte[] whole = Files.readAllBytes(file);
        try (MetricsFile metrics = MetricsFile.resume(file, step)) {
            RunMetrics kept = RunMetrics.read(file);
            assertThat(kept.training()).hasSize(Math.min(step, STEPS));
            assertThat(kept.validation()).hasSize(Math.min(step, STEPS) / 2);
            writeFrom(metrics, step + 1);
        }
        assertThat(file).hasBinaryContent(whole);
    }

    /** At each place where a kill could have cut the file. */
    @Test
    void aTornLastLineIsDropped() throws IOException {
        write();
        String whole = Files.readString(file);
        int fourth = whole.indexOf("{\"step\":4");
        int lineEnd = whole.indexOf('\n', fourth);
        for (int cut = fourth; cut <= lineEnd; cut++) {
            Files.writeString(file, whole.substring(0, cut));
            assertThat(RunMetrics.read(file).training()).as("cut at %d", cut).hasSize(3);
            try (MetricsFile metrics = MetricsFile.resume(file, 5)) {
                writeFrom(metrics, 4);
            }
            assertThat(file).as("cut at %d", cut).hasContent(whole);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "my notes",
                "my notes\n",
                "{\"step\":1}\nmy notes\n",
                "{\"step\":1}\n{\"step\":",
                "{\"loss\":1}\n",
                "{\"step\":\"one\"}\n",
                "[1]\n",
                "{\"step\":1} {\n",
                "\n"
            })
    void aFileOfAnotherKindIsRefusedAndLeftAlone(String text) throws IOException {
        boolean torn = text.endsWith("{\"step\":");
        Files.writeString(file, torn ? "x\n" + text : text);
        byte[] before = Files.readAllBytes(file);
        assertThatThrownBy(() -> MetricsFile.resume(file, 0))
                .isInstanceOf(MetricsFileException.class)
                .hasMessageContaining("metrics.jsonl, line ")
                .hasMessageContaining("not a JSON object with a step");
        assertThatThrownBy(() -> RunMetrics.read(file)).isInstanceOf(MetricsFileException.class);
        assertThat(file).hasBinaryContent(before);
    }

    @Test
    void aFileWithoutLinesIsNotReadIntoMemory() throws IOException {
        Files.write(file, new byte[1 << 20]);
        assertThatThrownBy(() -> RunMetrics.read(file))
                .isInstanceOf(MetricsFileException.class)
                .hasMessageContaining("line 1: longer than any line");
    }

    @Test
    void aNewRunDoesNotOverwriteAnother() throws IOException {
        write();
        byte[] before = Files.readAllBytes(file);
        assertThatThrownBy(() -> MetricsFile.create(file))
                .isInstanceOf(FileAlreadyExistsException.class);
        assertThat(file).hasBinaryContent(before);
    }

    @Test
    void resumesWithoutAFile() throws IOException {
        MetricsFile metrics = MetricsFile.resume(file, 10);
        metrics.writeValidation(10, 1, Double.NaN);
        metrics.close();
        metrics.close();
        assertThat(file)
                .content()
                .isEqualTo("{\"step\":10,\"validation_loss\":1.0,\"validation_accuracy\":null}\n");
    }

    @Test
    void linesFromElsewhereDoNotLeadTheWriterAstray() throws IOException {
        write();
        Files.writeString(
                file, "{\"step\":7,\"loss\":1}\n{\"step\":3}\n", StandardOpenOption.APPEND);
        MetricsFile.resume(file, 6).close();
        assertThat(RunMetrics.read(file).training()).hasSize(6);
    }
}
