package dev.recurrent.tests.evaluation;

import static dev.recurrent.tests.evaluation.Reports.ACC;
import static dev.recurrent.tests.evaluation.Reports.DATE;
import static dev.recurrent.tests.evaluation.Reports.of;
import static dev.recurrent.tests.evaluation.Reports.report;
import static dev.recurrent.tests.evaluation.Reports.result;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.ResultsFolder;
import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Observation;
import dev.recurrent.evaluation.task.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ResultsFolderTest {

    private static final EvaluationReport REPORT =
            report(result("hawk", "niah/own", 0, of(ACC, 0.5, 0.25)));

    @TempDir private Path parent;

    private static Outcome outcome(long document, Map<String, Object> sample) {
        return new Outcome(
                document,
                List.of(
                        Observation.of("acc", true),
                        Observation.of("acc", 0.5).in(Bucket.at("depth", 40))),
                7,
                64,
                sample);
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void writesEverything() throws IOException {
        Path folder = parent.resolve("new/results");
        try (ResultsFolder results = ResultsFolder.create(folder, DATE)) {
            Consumer<Outcome> samples = results.samples("hawk", "niah/own", 0);
            samples.accept(outcome(3, Map.of("prompt", "Zeile\n\"ä\u2028", "p", Double.NaN)));
            results.samples("mamba2", "niah/own", 128).accept(outcome(3, Map.of()));
            // Nothing shows before all is there.
            assertThat(names(folder)).allMatch(name -> name.endsWith(".tmp"));
            Path json = results.write(REPORT);
            assertThat(EvaluationReport.read(json)).isEqualTo(REPORT);
        }
        assertThat(names(folder))
                .containsExactly(
                        "results_2025-01-31T12-30-05.csv",
                        "results_2025-01-31T12-30-05.json",
                        "samples_niah_own_2025-01-31T12-30-05.jsonl",
                        "table.md");
        assertThat(folder.resolve("results_2025-01-31T12-30-05.csv")).hasContent(REPORT.toCsv());
        assertThat(folder.resolve("table.md"))
                .hasContent(REPORT.toMarkdown() + "\n" + REPORT.toTable());
        List<String> lines =
                Files.readAllLines(folder.resolve("samples_niah_own_2025-01-31T12-30-05.jsonl"));
        assertThat(lines).hasSize(2);
        JsonObject line = JsonParser.parseString(lines.get(0)).getAsJsonObject();
        assertThat(line.get("model").getAsString()).isEqualTo("hawk");
        assertThat(line.get("length").isJsonNull()).isTrue();
        assertThat(line.get("doc").getAsLong()).isEqualTo(3);
        JsonObject sample = line.getAsJsonObject("sample");
        assertThat(sample.get("prompt").getAsString()).isEqualTo("Zeile\n\"ä\u2028");
        assertThat(sample.get("p").isJsonNull()).isTrue();
        assertThat(line.getAsJsonArray("observations"))
                .hasToString(
                        "[{\"metric\":\"acc\",\"value\":1.0,\"weight\":1},"
                                + "{\"metric\":\"acc\",\"value\":0.5,\"weight\":1,"
                                + "\"axis\":\"depth\",\"from\":40,\"to\":40}]");
        assertThat(JsonParser.parseString(lines.get(1)).getAsJsonObject().get("length").getAsInt())
                .isEqualTo(128);
    }

    @Test
    void anEvaluationThatFailsLeavesNothing() throws IOException {
        try (ResultsFolder results = ResultsFolder.create(parent, DATE)) {
            results.samples("hawk", "niah", 0).accept(outcome(0, Map.of()));
        }
        assertThat(names(parent)).isEmpty();
        ResultsFolder.create(parent, DATE).close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"results_x.json", "results_x.csv", "samples_mqar_x.jsonl", "table.md"})
    void resultsThatAreThereStay(String name) throws IOException {
        Files.writeString(parent.resolve("notes.txt"), "mine");
        ResultsFolder.create(parent, DATE).close();
        Files.writeString(parent.resolve(name), "old");
        assertThatThrownBy(() -> ResultsFolder.create(parent, DATE))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("overwritten");
        assertThat(parent.resolve(name)).hasContent("old");
    }

    @Test
    void aFileIsNoFolder() throws IOException {
        Path file = Files.writeString(parent.resolve("file"), "");
        assertThatThrownBy(() -> ResultsFolder.create(file, DATE))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("is a file");
    }
}
