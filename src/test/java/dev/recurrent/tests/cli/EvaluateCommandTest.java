package dev.recurrent.tests.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.evaluation.catalog.Tasks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EvaluateCommandTest {

    @TempDir private Path folder;

    @Test
    void listsAllTasks() {
        CommandLineRun run = CommandLineRun.of("evaluate", "--list");
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains(Tasks.names());
        assertThat(Tasks.names())
                .contains(
                        "perplexity",
                        "mqar",
                        "niah_single_1",
                        "niah_single_2",
                        "niah_single_3",
                        "selective_copying",
                        "induction_heads",
                        "phonebook",
                        "lambada",
                        "hellaswag",
                        "piqa",
                        "arc_easy",
                        "arc_challenge",
                        "winogrande");
    }

    @ParameterizedTest
    @CsvSource({
        "-m hawk, Which tasks",
        "-t perplexity, Which models",
        "-m hawk -t mqr, did you mean mqar",
        "-m hwk -t mqar, did you mean hawk",
        "-m hawk -t mqar --seq-len 8, at least 16",
        "-m hawk -t niah_single_1 --seq-len 64, niah_single_1",
        "-m hawk -t mqar --seq-len 4q, is no number of tokens",
        "-m hawk -t mqar -b 0, --batch-size must be at least 1",
        "-m hawk -t mqar --limit -1, limit",
        "-m hawk -t mqar -s, --output DIR",
        "-m hawk -t perplexity --seq-len 8 --stride 9, stride",
        "-m hawk -t perplexity --text nowhere.txt, nowhere.txt",
        "-m hawk -t hellaswag, --data",
        "-m hawk -t hellaswag --data nowhere, nowhere",
        "-m hawk -t nowhere.json, nowhere.json",
        "-m hawk:synthetic -t perplexity, too small for bytes",
        "-m hawk:synthetic -t mqar --seq-len 256, 'vocabulary of hawk:synthetic is [0, 16)'"
    })
    void badInputIsOneLineBeforeAModelLoads(String arguments, String message) {
        CommandLineRun run = evaluate(arguments.split(" "));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains(message).doesNotContain("Exception");
    }

    @Test
    void resultsAreKept() throws IOException {
        Path results = folder.resolve("results");
        String[] arguments = {
            "-m",
            "griffin:recall-bytes,hawk:recall-bytes",
            "-t",
            "mqar",
            "--seq-len",
            "64,128",
            "-L",
            "6",
            "-s",
            "-o",
            results.toString()
        };
        CommandLineRun run = evaluate(arguments);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("not comparable", "results_");
        assertThat(names(results))
                .anyMatch(name -> name.matches("results_.*\\.json"))
                .anyMatch(name -> name.matches("results_.*\\.csv"))
                .anyMatch(name -> name.matches("samples_mqar_.*\\.jsonl"))
                .contains("table.md", "length_mqar.svg", "state_mqar@128.svg");
        Path samples = find(results, "samples_");
        // Two models, two lengths, six documents.
        assertThat(Files.readAllLines(samples)).hasSize(24);
        CommandLineRun again = evaluate(arguments);
        assertThat(again.code()).isEqualTo(2);
        assertThat(again.err()).contains("Nothing is overwritten");
        String json = find(results, "results_").toString();
        CommandLineRun compared = CommandLineRun.of("compare", json, json);
        assertThat(compared.code()).as(compared.err()).isZero();
    }

    @Test
    void theSameCommandGivesTheSameResultsInWhateverBatches() {
        String[] command = {
            "-m",
            "griffin",
            "-t",
            "perplexity,phonebook",
            "--seq-len",
            "300",
            "-L",
            "3",
            "--text",
            playHead().toString(),
            "--format",
            "json",
            "-b"
        };
        JsonObject first = results(append(command, "1"));
        assertThat(results(append(command, "1"))).isEqualTo(first);
        JsonObject eight = results(append(command, "8"));
        for (String task : List.of("perplexity@300", "phonebook@300")) {
            JsonObject one = first.getAsJsonObject("griffin").getAsJsonObject(task);
            JsonObject other = eight.getAsJsonObject("griffin").getAsJsonObject(task);
            for (String metric : one.keySet()) {
                JsonElement value = one.get(metric);
                if (value.isJsonPrimitive() && value.getAsJsonPrimitive().isNumber()) {
                    double expected = value.getAsDouble();
                    // fp32 rounds differently in another batch.
                    assertThat(other.get(metric).getAsDouble())
                            .as(metric)
                            .isCloseTo(expected, within(1e-5 * Math.abs(expected)));
                }
            }
        }
    }

    @Test
    void aTaskOfTheUsersOwn() throws IOException {
        Files.writeString(
                folder.resolve("rivers.jsonl"),
                """
                {"q": "The river has no", "a": ["name", "oars"], "right": 0}
                {"q": "The bank is", "a": ["wet", "patient", "far"], "right": 1}
                """);
        Path task =
                Files.writeString(
                        folder.resolve("rivers.json"),
                        """
                        {"name": "rivers", "kind": "multiple_choice", "data": "rivers.jsonl",
                         "context": "{{q}}", "choices": "{{a}}", "answer": "{{right}}"}
                        """);
        CommandLineRun run = evaluate("-m", "hawk", "-t", task.toString(), "--format", "csv");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("rivers").contains("acc");
    }

    @Test
    void markdownComparesModels() {
        CommandLineRun run =
                evaluate(
                        "-m",
                        "hawk,griffin",
                        "-t",
                        "perplexity",
                        "--text",
                        playHead().toString(),
                        "--format",
                        "markdown");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out().lines().filter(line -> line.startsWith("| griffin"))).hasSize(1);
        assertThat(run.out()).contains("**");
    }

    private Path playHead() {
        try {
            return Files.writeString(
                    folder.resolve("text.txt"), "OSRIN:\nThe water's up again.\n".repeat(12));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The scores, without what time and memory tell. */
    private static JsonObject results(String... arguments) {
        CommandLineRun run = evaluate(arguments);
        assertThat(run.code()).as(run.err()).isZero();
        JsonObject results =
                JsonParser.parseString(run.out()).getAsJsonObject().getAsJsonObject("results");
        for (String model : results.keySet()) {
            JsonObject tasks = results.getAsJsonObject(model);
            tasks.keySet().forEach(task -> tasks.getAsJsonObject(task).remove("run"));
        }
        return results;
    }

    private static CommandLineRun evaluate(String... arguments) {
        return CommandLineRun.of(
                Stream.concat(Stream.of("evaluate"), Stream.of(arguments)).toArray(String[]::new));
    }

    private static String[] append(String[] arguments, String last) {
        return Stream.concat(Stream.of(arguments), Stream.of(last)).toArray(String[]::new);
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    private static Path find(Path folder, String start) throws IOException {
        return names(folder).stream()
                .filter(name -> name.startsWith(start) && name.contains("json"))
                .map(folder::resolve)
                .findFirst()
                .orElseThrow();
    }
}
