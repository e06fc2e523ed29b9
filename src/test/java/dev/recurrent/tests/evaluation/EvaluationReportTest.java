package dev.recurrent.tests.evaluation;

import static dev.recurrent.tests.evaluation.Reports.ACC;
import static dev.recurrent.tests.evaluation.Reports.BITS;
import static dev.recurrent.tests.evaluation.Reports.PERPLEXITY;
import static dev.recurrent.tests.evaluation.Reports.of;
import static dev.recurrent.tests.evaluation.Reports.part;
import static dev.recurrent.tests.evaluation.Reports.report;
import static dev.recurrent.tests.evaluation.Reports.result;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.Csv;
import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.report.Table;
import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Measured;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EvaluationReportTest {

    @TempDir private Path folder;

    @Test
    void theTableHasTheColumnsPeopleKnow() {
        EvaluationReport report =
                report(result("hawk", "mqar", 0, of(ACC, 0.5, 0.02), of(BITS, 1.25, Double.NaN)));
        assertThat(report.toTable())
                .isEqualTo(
                        """
                        | Tasks | Metric        | ↑/↓ |  Value | ± | Stderr |
                        |-------|---------------|-----|-------:|---|-------:|
                        | mqar  | acc           | ↑   | 0.5000 | ± | 0.0200 |
                        |       | bits_per_byte | ↓   | 1.2500 | ± |    N/A |

                        | Tasks | Samples | Tokens | Tokens/s | Peak memory |   State |
                        |-------|--------:|-------:|---------:|------------:|--------:|
                        | mqar  |      50 |  12000 |     8000 |         N/A | 4.0 KiB |
                        """);
    }

    @Test
    void theTableNamesModelsAndLengthsWhereThereAreSeveral() {
        String table =
                report(
                                result("hawk", "mqar", 64, of(ACC, 0.5, 0.02)),
                                result("hawk", "lambada", 0, of(ACC, 0.5, 0.02)),
                                result("鷹", "mqar", 64, of(ACC, 0.25, 0.02)))
                        .toTable();
        assertThat(table.lines().limit(5))
                .containsExactly(
                        "| Model | Tasks   | Length | Metric | ↑/↓ |  Value | ± | Stderr |",
                        "|-------|---------|-------:|--------|-----|-------:|---|-------:|",
                        "| hawk  | mqar    |     64 | acc    | ↑   | 0.5000 | ± | 0.0200 |",
                        "| hawk  | lambada |        | acc    | ↑   | 0.5000 | ± | 0.0200 |",
                        // A character of two columns.
                        "| 鷹    | mqar    |     64 | acc    | ↑   | 0.2500 | ± | 0.0200 |");
    }

    @Test
    void aTableHeedsWideAndCombiningCharactersAndBars() {
        Table table =
                new Table()
                        .column("n", Table.Align.LEFT)
                        .row("e\u0301")
                        .row("\ud83e\udd85")
                        .row("a|b\nc");
        assertThat(table)
                .hasToString(
                        """
                        | n      |
                        |--------|
                        | e\u0301      |
                        | \ud83e\udd85     |
                        | a\\|b c |
                        """);
    }

    @Test
    void markdownComparesModelsWithTheBestInBold() {
        EvaluationReport report =
                report(
                        result("a", "mqar", 64, of(ACC, 0.5, 0), of(BITS, 2, 0)),
                        result("b", "mqar", 64, of(ACC, 0.75, 0), of(BITS, 3, 0)),
                        result("c", "mqar", 64, of(ACC, 0.75001, 0), of(BITS, Double.NaN, 0)),
                        result("c", "niah", 0, of(ACC, 1, 0)));
        assertThat(report.toMarkdown())
                .isEqualTo(
                        """
                        | Model | mqar@64 acc ↑ | mqar@64 bits_per_byte ↓ | niah acc ↑ |
                        |-------|--------------:|------------------------:|-----------:|
                        | a     |        0.5000 |              **2.0000** |          – |
                        | b     |    **0.7500** |                  3.0000 |          – |
                        | c     |    **0.7500** |                     N/A |     1.0000 |
                        """);
    }

    @Test
    void csvHasARowForWholesAndParts() {
        ModelResult result =
                new ModelResult(
                        "my, \"own\"",
                        "niah",
                        128,
                        new Measured(
                                List.of(of(ACC, 0.1, Double.NaN)),
                                List.of(part(ACC, Bucket.at("depth", 40), 0.25)),
                                50,
                                12_000,
                                4096),
                        1.5,
                        7);
        assertThat(report(result).toCsv())
                .isEqualTo(
                        "model,task,length,metric,higher_is_better,axis,from,to,value,stderr,count,"
                                + "n_samples,tokens,state_bytes,seconds,peak_memory_bytes\r\n"
                                + "\"my, \"\"own\"\"\",niah,128,acc,true,,,,0.1,,100,"
                                + "50,12000,4096,1.5,7\r\n"
                                + "\"my, \"\"own\"\"\",niah,128,acc,true,depth,40,40,0.25,0.01,10,"
                                + "50,12000,4096,1.5,7\r\n");
    }

    @Test
    void csvQuotesWhatWouldEndAField() {
        assertThat(new Csv("a", "b").record("x\ny", " z ").record("\r", "\""))
                .hasToString("a,b\r\n\"x\ny\", z \r\n\"\r\",\"\"\"\"\r\n");
    }

    @Test
    void jsonReadsBackAsItWas() throws IOException {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("limit", 100L);
        settings.put("text", null);
        settings.put("rate", 0.5);
        settings.put("models", List.of("a", "b"));
        List<ModelResult> results = new ArrayList<>(Reports.rich());
        results.add(
                result(
                        "bad",
                        "broken",
                        7,
                        of(PERPLEXITY, Double.POSITIVE_INFINITY, Double.NaN),
                        of(ACC, 1.0 / 3, Double.MIN_VALUE)));
        EvaluationReport report = report(results, settings);
        // Results come by model.
        EvaluationReport again = read(report.toJson());
        assertThat(again.results()).containsExactlyInAnyOrderElementsOf(results);
        assertThat(again.settings()).isEqualTo(settings);
        assertThat(again.versions()).isEqualTo(report.versions());
        assertThat(again.date()).isEqualTo(Reports.DATE);
        assertThat(again.seconds()).isEqualTo(12.25);
        assertThat(again.toJson()).isEqualTo(report.toJson());
    }

    @Test
    void jsonHasTheKeysPeopleKnow() {
        JsonObject json = parse(report(result("hawk", "niah", 1024, of(ACC, 0.5, 0.25))).toJson());
        assertThat(json.keySet())
                .containsExactly("results", "metrics", "config", "versions", "date", "total_time");
        JsonObject result =
                json.getAsJsonObject("results")
                        .getAsJsonObject("hawk")
                        .getAsJsonObject("niah@1024");
        assertThat(result.keySet())
                .containsExactly(
                        "acc",
                        "acc_stderr",
                        "acc_count",
                        "n_samples",
                        "tokens",
                        "state_bytes",
                        "parts",
                        "run");
        assertThat(result.get("acc_stderr").getAsDouble()).isEqualTo(0.25);
        assertThat(result.getAsJsonObject("run").get("tokens_per_second").getAsDouble())
                .isEqualTo(8000);
    }

    /** What is left without what tells time and memory does not depend on them. */
    @Test
    void timeAndMemoryCanBeTakenAway() {
        ModelResult fast = result("hawk", "niah", 0, of(ACC, 0.5, 0.25));
        ModelResult slow = new ModelResult("hawk", "niah", 0, fast.measured(), 99, 1L << 33);
        EvaluationReport one = new EvaluationReport(List.of(fast), Map.of("seed", 1L));
        EvaluationReport other =
                new EvaluationReport(List.of(slow), Map.of("seed", 1L), Instant.EPOCH);
        assertThat(one.toJson()).isNotEqualTo(other.toJson());
        assertThat(timeless(one)).isEqualTo(timeless(other));
        assertThat(one.versions().get("djl")).isEqualTo("0.35.1");
        assertThat(one.versions().get("engine")).startsWith("PyTorch");
    }

    private static JsonObject timeless(EvaluationReport report) {
        JsonObject json = parse(report.toJson());
        json.remove("date");
        json.remove("total_time");
        json.getAsJsonObject("results")
                .asMap()
                .values()
                .forEach(
                        tasks ->
                                tasks.getAsJsonObject()
                                        .asMap()
                                        .values()
                                        .forEach(task -> task.getAsJsonObject().remove("run")));
        return json;
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"results\"|is not JSON",
                "[]|is not a results file",
                "{\"model_type\": \"hawk\"}|is not a results file",
                "{\"results\": {}}|there is no \"metrics\" in it, only results",
                "\"acc_stderr\"|niah: there is no \"acc_stderr\" in it",
                "\"acc\": 0.5|its \"acc\" is not a number",
                "\"higher_is_better\": true|acc: its \"higher_is_better\" is not true or false",
                "\"tokens\": 12000|niah: its \"tokens\" is not a whole number",
                "\"aggregation\": \"mean\"|its \"aggregation\" is not a string",
                "\"date\": \"2025-01-31T12:30:05Z\"|its \"date\" is not a string",
                "\"parts\": []|its \"parts\" is not an array"
            })
    void aFileThatIsNoResultsSaysWhy(String text, String message) throws IOException {
        String good = report(result("hawk", "niah", 0, of(ACC, 0.5, 0.25))).toJson();
        String bad = text.startsWith("\"") ? spoil(good, text) : text;
        assertThatThrownBy(() -> read(bad))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("bad.json")
                .hasMessageContaining(message);
    }

    /** Renames a key that is given alone, and gives another a value of no kind. */
    private static String spoil(String json, String part) {
        assertThat(json).contains(part);
        int colon = part.indexOf(':');
        return colon < 0
                ? json.replace(part, "\"renamed\"")
                : json.replace(part, part.substring(0, colon) + ": {}");
    }

    @Test
    void aMissingFileIsNamed() {
        assertThatThrownBy(() -> EvaluationReport.read(folder.resolve("none.json")))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("none.json");
    }

    private EvaluationReport read(String json) throws IOException {
        return EvaluationReport.read(Files.writeString(folder.resolve("bad.json"), json));
    }

    private static JsonObject parse(String json) {
        return JsonParser.parseString(json).getAsJsonObject();
    }
}
