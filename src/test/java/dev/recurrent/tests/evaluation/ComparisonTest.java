package dev.recurrent.tests.evaluation;

import static dev.recurrent.tests.evaluation.Reports.ACC;
import static dev.recurrent.tests.evaluation.Reports.BITS;
import static dev.recurrent.tests.evaluation.Reports.PERPLEXITY;
import static dev.recurrent.tests.evaluation.Reports.of;
import static dev.recurrent.tests.evaluation.Reports.report;
import static dev.recurrent.tests.evaluation.Reports.result;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.report.ResultsFolder;
import dev.recurrent.evaluation.report.compare.Comparison;
import dev.recurrent.evaluation.report.compare.ComparisonReport;
import dev.recurrent.evaluation.report.compare.ScoreDifference;
import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Observation;
import dev.recurrent.evaluation.task.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ComparisonTest {

    @TempDir private Path folder;

    private Path write(String name, ModelResult... results) throws IOException {
        return write(name, List.of(results), Map.of());
    }

    private Path write(String name, List<ModelResult> results, Map<String, Object> settings)
            throws IOException {
        return Files.writeString(folder.resolve(name), report(results, settings).toJson());
    }

    /** Writes results and samples: observations of a metric, an array a document. */
    private Path sampled(String name, String model, Metric metric, double[][]... documents)
            throws IOException {
        try (ResultsFolder results = ResultsFolder.create(folder.resolve(name), Reports.DATE)) {
            Consumer<Outcome> samples = results.samples(model, "task", 0);
            // Another length, and parts, which must not count.
            results.samples(model, "task", 64).accept(outcome(0, metric, new double[] {5, 5}));
            for (int i = 0; i < documents.length; i++) {
                samples.accept(outcome(i, metric, documents[i]));
            }
            return results.write(report(result(model, "task", 0, of(metric, 0.5, 0.1))));
        }
    }

    private static Outcome outcome(long document, Metric metric, double[]... observed) {
        List<Observation> observations = new ArrayList<>();
        for (double[] one : observed) {
            Observation whole = new Observation(metric.name(), null, one[0], (long) one[1]);
            observations.add(whole);
            observations.add(whole.in(Bucket.at("depth", 1)));
        }
        return new Outcome(document, observations, 1, 1, Map.of());
    }

    private static double[][] one(double value) {
        return new double[][] {{value, 1}};
    }

    @Test
    void comparesWhatIsInBoth() throws IOException {
        Path a =
                write(
                        "a.json",
                        result("hawk", "mqar", 64, of(ACC, 0.5, 0.03), of(BITS, 2, 0.3)),
                        result("hawk", "niah", 128, of(ACC, 0.5, 0.03)),
                        result("mamba2", "mqar", 64, of(ACC, 0.5, 0.03), of(BITS, 2, 0.3)));
        Path b =
                write(
                        "b.json",
                        result("hawk", "mqar", 64, of(ACC, 0.6, 0.04), of(BITS, 2.5, 0.4)),
                        result("hawk", "niah", 0, of(ACC, 0.5, 0.03)),
                        result("griffin", "niah", 128, of(ACC, 0.5, 0.03)));
        Comparison comparison = Comparison.of(a, b, false, 0);
        assertThat(comparison.warnings()).isEmpty();
        assertThat(comparison.scores()).hasSize(2);
        ScoreDifference acc = comparison.scores().get(0);
        assertThat(acc.models()).isEqualTo("hawk");
        assertThat(acc.length()).isEqualTo(64);
        assertThat(acc.difference().value()).isCloseTo(0.1, within(1e-15));
        assertThat(acc.difference().standardError()).isCloseTo(0.05, within(1e-15));
        // 2 (1 − Φ(2)), and twice that by Holm, there being two.
        assertThat(acc.difference().p()).isCloseTo(0.0455002638963584, within(1e-12));
        assertThat(acc.holm()).isCloseTo(2 * 0.0455002638963584, within(1e-12));
        assertThat(acc.improvement()).isEqualTo(1);
        ScoreDifference bits = comparison.scores().get(1);
        // 2 (1 − Φ(1)).
        assertThat(bits.difference().p()).isCloseTo(0.317310507862914, within(1e-12));
        assertThat(bits.improvement()).isEqualTo(-1);
    }

    @Test
    void oneModelEachIsComparedWhateverTheirNames() throws IOException {
        Path a = write("a.json", result("hawk", "mqar", 0, of(ACC, 0.5, 0.03)));
        Path b = write("b.json", result("griffin", "mqar", 0, of(ACC, 0.5, 0.03)));
        Comparison comparison = Comparison.of(a, b, false, 0);
        assertThat(comparison.scores().get(0).models()).isEqualTo("hawk → griffin");
        assertThat(comparison.scores().get(0).improvement()).isZero();
        assertThat(comparison.scores().get(0).difference().p()).isEqualTo(1);
    }

    @Test
    void documentsArePairedWhereTheirSamplesAreThere() throws IOException {
        Path a = sampled("a", "x", ACC, one(1), one(0), one(1), one(0), one(0));
        Path b = sampled("b", "x", ACC, one(1), one(1), one(1), one(0), one(1));
        ScoreDifference score = Comparison.of(a, b, true, 0).scores().get(0);
        assertThat(score.difference().pairs()).isEqualTo(5);
        assertThat(score.difference().value()).isCloseTo(0.4, within(1e-15));
        // As in SignificanceTest: √0.06.
        assertThat(score.difference().standardError()).isCloseTo(Math.sqrt(0.06), within(1e-15));
        assertThat(score.difference().permutation()).isBetween(0.0, 1.0);
    }

    @Test
    void aDocumentIsAUnitWhateverItsObservations() throws IOException {
        double[][] low = {{2, 4}, {3, 5}};
        double[][] high = {{4, 4}, {5, 6}};
        Path a = sampled("a", "x", PERPLEXITY, low, high, low);
        Path b = sampled("b", "x", PERPLEXITY, high, high, low);
        ScoreDifference score = Comparison.of(a, b, false, 0).scores().get(0);
        assertThat(score.difference().pairs()).isEqualTo(3);
        assertThat(score.difference().value())
                .isCloseTo(Math.exp(23.0 / 29) - Math.exp(19.0 / 28), within(1e-12));
    }

    @Test
    void stretchesOfOneDocumentArePairedIfTheyAreTheSame() throws IOException {
        Path a = sampled("a", "x", PERPLEXITY, new double[][] {{2, 4}, {3, 5}, {1, 1}});
        Path b = sampled("b", "x", PERPLEXITY, new double[][] {{4, 4}, {3, 5}, {2, 1}});
        Path c = sampled("c", "x", PERPLEXITY, new double[][] {{4, 4}, {3, 4}, {2, 2}});
        assertThat(Comparison.of(a, b, false, 0).scores().get(0).difference().pairs()).isEqualTo(3);
        assertThat(Comparison.of(a, c, false, 0).scores().get(0).difference().pairs()).isZero();
    }

    @Test
    void otherDocumentsAreNotPaired() throws IOException {
        Path a = sampled("a", "x", ACC, one(1), one(0), one(1));
        Path b = sampled("b", "x", ACC, one(1), one(1));
        ScoreDifference score = Comparison.of(a, b, true, 0).scores().get(0);
        assertThat(score.difference().pairs()).isZero();
        assertThat(score.difference().standardError()).isCloseTo(0.1 * Math.sqrt(2), within(1e-15));
    }

    @Test
    void warnsOfWhatElseDiffers() throws IOException {
        ModelResult result = result("hawk", "mqar", 0, of(ACC, 0.5, 0.03));
        Path a = write("a.json", List.of(result), Map.of("limit", 5L, "seed", 1L, "models", "x"));
        Path b = write("b.json", List.of(result), Map.of("limit", 6L, "seed", 1L, "models", "y"));
        assertThat(Comparison.of(a, b, false, 0).warnings())
                .containsExactly("The runs differ in limit: 5 / 6");
    }

    @Test
    void badFilesAreNamed() throws IOException {
        Path a = write("a.json", result("hawk", "mqar", 0, of(ACC, 0.5, 0.03)));
        Path b = write("b.json", result("hawk", "niah", 0, of(ACC, 0.5, 0.03)));
        assertInvalid(a, b, false, "hawk mqar / hawk niah", "no model, task and metric in common");
        assertInvalid(a, a, true, "a.json", "no samples of mqar");
        Path sampled = sampled("s", "x", ACC, one(1), one(0));
        Path samples = folder.resolve("s/samples_task_2025-01-31T12-30-05.jsonl");
        String line = Files.readAllLines(samples).get(0);
        Files.writeString(samples, line + "\n" + line + "\n");
        assertInvalid(sampled, sampled, false, "line 2", "twice");
        Files.writeString(samples, line + "\n" + line.replace("\"doc\"", "\"dog\"") + "\n");
        assertInvalid(sampled, sampled, false, "line 2", "there is no \"doc\"");
    }

    private static void assertInvalid(
            Path a, Path b, boolean samples, String where, String message) {
        assertThatThrownBy(() -> Comparison.of(a, b, samples, 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining(where)
                .hasMessageContaining(message);
    }

    @Test
    void printsTheTableWithItsSigns() throws IOException {
        Path a = write("a.json", result("h", "t", 0, of(ACC, 0.5, 0.03), of(PERPLEXITY, 4, 0.03)));
        Path b = write("b.json", result("h", "t", 0, of(ACC, 0.6, 0.04), of(PERPLEXITY, 5, 0.04)));
        Comparison comparison = Comparison.of(a, b, false, 0);
        String table = new ComparisonReport(comparison, false).toTable();
        List<String> lines = table.lines().toList();
        assertThat(cells(lines.get(0)))
                .containsExactly(
                        "Model", "Tasks", "Metric", "↑/↓", "A", "B", "B − A", "±", "Stderr",
                        "Pairs", "z", "p", "p perm.", "p Holm", "B is");
        assertThat(cells(lines.get(2)))
                .containsExactly(
                        "h",
                        "t",
                        "acc",
                        "↑",
                        "0.5000",
                        "0.6000",
                        "+0.1000",
                        "±",
                        "0.0500",
                        "–",
                        "2.00",
                        "0.0455",
                        "N/A",
                        "0.0455",
                        "▲ better *");
        assertThat(cells(lines.get(3)))
                .containsExactly(
                        "h",
                        "t",
                        "token_perplexity",
                        "↓",
                        "4.0000",
                        "5.0000",
                        "+1.0000",
                        "±",
                        "0.0500",
                        "–",
                        "20.00",
                        "<0.0001",
                        "N/A",
                        "<0.0001",
                        "▼ worse **");
        assertThat(table).contains("A: " + a, "B: " + b, "Holm");
    }

    private static List<String> cells(String line) {
        return Arrays.stream(line.split("\\|")).skip(1).map(String::strip).toList();
    }

    @Test
    void starsCanTellCorrectedValues() throws IOException {
        Path a = write("a.json", result("h", "t", 0, of(ACC, 0.5, 0.03), of(BITS, 4, 0.3)));
        Path b = write("b.json", result("h", "t", 0, of(ACC, 0.6, 0.04), of(BITS, 4, 0.3)));
        Comparison comparison = Comparison.of(a, b, false, 0);
        assertThat(new ComparisonReport(comparison, false).toMarkdown()).contains("better *");
        assertThat(new ComparisonReport(comparison, true).toMarkdown())
                .contains("better")
                .doesNotContain("better *");
    }

    @Test
    void printsJsonAndCsv() throws IOException {
        Path a = write("a.json", result("h", "t", 8, of(ACC, 0.5, 0.03)));
        Path b = write("b.json", result("h", "t", 8, of(ACC, 0.6, 0.04)));
        ComparisonReport report = new ComparisonReport(Comparison.of(a, b, false, 0), false);
        JsonObject json = JsonParser.parseString(report.toJson()).getAsJsonObject();
        JsonObject score = json.getAsJsonArray("comparisons").get(0).getAsJsonObject();
        assertThat(score.get("length").getAsInt()).isEqualTo(8);
        assertThat(score.get("z").getAsDouble()).isCloseTo(2, within(1e-12));
        assertThat(score.get("significance").getAsString()).isEqualTo("*");
        assertThat(score.get("p_permutation").isJsonNull()).isTrue();
        List<String> lines = report.toCsv().lines().toList();
        assertThat(lines).hasSize(2);
        assertThat(lines.get(0)).isEqualTo(String.join(",", score.keySet()));
        assertThat(lines.get(1)).startsWith("h,h,t,8,acc,true,0.5,0.03,0.6,0.04,0.0");
    }
}
