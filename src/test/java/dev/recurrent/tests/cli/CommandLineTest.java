package dev.recurrent.tests.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CommandLineTest {

    /** The same numbers by another order of float64 operations. */
    private static final Percentage ROUNDING = Percentage.withPercentage(1e-9);

    @TempDir private Path folder;

    @Test
    void withoutArgumentsItHelps() {
        CommandLineRun run = CommandLineRun.of();
        assertThat(run.code()).isZero();
        assertThat(run.out())
                .contains("list", "generate", "evaluate", "verify", "bench", "Exit codes");
        assertThat(run.err()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "list",
                "generate",
                "evaluate",
                "train",
                "verify",
                "save",
                "bench",
                "compare"
            })
    void everyCommandHelps(String command) {
        CommandLineRun run = CommandLineRun.of(command, "--help");
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("Usage: recurrent " + command);
    }

    @Test
    void listsTheZoo() {
        CommandLineRun run = CommandLineRun.of("list");
        assertThat(run.code()).isZero();
        assertThat(run.out().lines().filter(line -> line.contains("tiny"))).hasSize(10);
        assertThat(run.out()).contains("griffin", "gated-deltanet-h2", "1.3b");
    }

    @Test
    void trainsInAFolder() throws IOException {
        String text =
                Files.writeString(folder.resolve("book.txt"), "to be or not ".repeat(50))
                        .toString();
        String run = folder.resolve("run").toString();
        String[] train = {
            "train",
            "-m",
            "hawk",
            "--data",
            text,
            "-o",
            run,
            "--steps",
            "2",
            "-b",
            "1",
            "--length",
            "16",
            "--evaluate-every",
            "2",
            "--recompute"
        };
        CommandLineRun first = CommandLineRun.of(train);
        assertThat(first.code()).as(first.err()).isZero();
        assertThat(Path.of(first.out().strip())).isEqualTo(folder.resolve("run/model"));
        assertThat(first.err()).contains("step 2/2: loss", "validation loss", "loss.svg");
        assertThat(folder.resolve("run/run.properties")).content().contains("recompute=true");
        CommandLineRun again = CommandLineRun.of(train);
        assertThat(again.code()).isEqualTo(2);
        assertThat(again.err()).contains("holds a run already").doesNotContain("Exception");
        CommandLineRun resumed = CommandLineRun.of("train", "--resume", "-o", run, "--steps", "3");
        assertThat(resumed.code()).as(resumed.err()).isZero();
        assertThat(resumed.err()).contains("resuming after step 2", "step 3/3: loss");
        CommandLineRun plan =
                CommandLineRun.of("train", "--dry-run", "-m", "hawk:400m", "--data", text);
        assertThat(plan.code()).isZero();
        assertThat(plan.out()).contains("423,925,248", "tokens a step        2,048");
        CommandLineRun bad = CommandLineRun.of("train", "-m", "hawk", "--data", "none", "-o", "x");
        assertThat(bad.code()).isEqualTo(2);
        assertThat(bad.err()).contains("There is no file or folder none");
    }

    @Test
    void unknownCommandsAndOptionsAreUsageErrors() {
        CommandLineRun command = CommandLineRun.of("verfy");
        assertThat(command.code()).isEqualTo(2);
        assertThat(command.err()).contains("verfy", "verify");
        assertThat(command.out()).isEmpty();
        assertThat(CommandLineRun.of("generate", "--wat").code()).isEqualTo(2);
        assertThat(CommandLineRun.of("generate").err()).contains("--model");
    }

    @Test
    void unknownNamesComeWithSuggestions() {
        CommandLineRun task = evaluate("perplexty", "hawk", "text.txt");
        assertThat(task.code()).isEqualTo(2);
        assertThat(task.err()).contains("Unknown task 'perplexty'", "did you mean perplexity?");
        CommandLineRun model = CommandLineRun.of("generate", "-m", "grifin", "--prompt", "x");
        assertThat(model.code()).isEqualTo(2);
        assertThat(model.err()).contains("Unknown model 'grifin'", "did you mean griffin");
        CommandLineRun size = CommandLineRun.of("generate", "-m", "hawk:1.4b", "--prompt", "x");
        assertThat(size.code()).isEqualTo(2);
        assertThat(size.err()).contains("size of hawk", "1.3b");
    }

    @Test
    void badInputIsOneLineWithoutAStackTrace() throws IOException {
        Path latin = Files.write(folder.resolve("latin.txt"), new byte[] {'a', (byte) 0xe9, 'b'});
        CommandLineRun run = evaluate("perplexity", "hawk", latin.toString());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.err()).contains("latin.txt", "UTF-8", "offset 1");
        assertThat(evaluate("perplexity", "hawk", folder.resolve("none").toString()).code())
                .isEqualTo(2);
        Path config =
                Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"gpt2\"}");
        CommandLineRun model =
                CommandLineRun.of("generate", "-m", folder.toString(), "--prompt", "x");
        assertThat(model.code()).isEqualTo(2);
        assertThat(model.err()).contains(config.toString(), "gpt2");
    }

    @Test
    void verboseAddsTheStackTrace() {
        CommandLineRun run = CommandLineRun.of("generate", "--verbose", "-m", "nothing");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("\tat dev.recurrent.");
    }

    @Test
    void devicesThatAreNotThereAreBadInput() {
        String device = "gpu99";
        CommandLineRun run =
                CommandLineRun.of("generate", "-m", "hawk", "--prompt", "x", "--device", device);
        assertThat(run.code()).isEqualTo(2);
        assertThat(CommandLineRun.of("generate", "-m", "hawk", "--device", "tpu").code())
                .isEqualTo(2);
    }

    @Test
    void generatesTheSameTextFromTheSameSeed() {
        String[] arguments = {
            "generate",
            "-m",
            "gated-deltanet",
            "--prompt",
            "The river",
            "--max-new-tokens",
            "8",
            "--temperature",
            "1",
            "--seed",
            "3"
        };
        CommandLineRun run = CommandLineRun.of(arguments);
        assertThat(run.code()).isZero();
        assertThat(run.out()).isNotBlank().isEqualTo(CommandLineRun.of(arguments).out());
        assertThat(run.err()).contains("8 new tokens", "tokens/s");
        arguments[arguments.length - 1] = "4";
        assertThat(CommandLineRun.of(arguments).out()).isNotEqualTo(run.out());
    }

    @Test
    void wrongGenerationOptionsAreBadInput() {
        CommandLineRun run =
                CommandLineRun.of("generate", "-m", "hawk", "--prompt", "x", "--top-p", "2");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("topP");
        CommandLineRun empty = CommandLineRun.of("generate", "-m", "hawk", "--prompt", "");
        assertThat(empty.code()).isEqualTo(2);
        assertThat(empty.err()).contains("empty");
    }

    @Test
    void printsPerplexityOfSeveralModels() throws IOException {
        Path text = Files.writeString(folder.resolve("text.txt"), "one two\nthree four\n");
        CommandLineRun run = evaluate("perplexity", "hawk,mamba2", text.toString());
        assertThat(run.code()).isZero();
        assertThat(run.out().lines().findFirst())
                .hasValueSatisfying(
                        line ->
                                assertThat(line)
                                        .containsSubsequence(
                                                "Model", "Tasks", "Metric", "↑/↓", "Value", "±",
                                                "Stderr"));
        assertThat(run.out())
                .contains(
                        "token_perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte");
    }

    @Test
    void printsJsonAndSaysThatALimitIsNotComparable() throws IOException {
        Path text = Files.writeString(folder.resolve("text.txt"), "one two\nthree four\n");
        CommandLineRun run =
                CommandLineRun.of(
                        "evaluate",
                        "-t",
                        "perplexity",
                        "-m",
                        "hawk",
                        "--text",
                        text.toString(),
                        "--format",
                        "json",
                        "--limit",
                        "1");
        assertThat(run.code()).isZero();
        assertThat(run.err()).contains("not comparable");
        JsonObject scores =
                JsonParser.parseString(run.out())
                        .getAsJsonObject()
                        .getAsJsonObject("results")
                        .getAsJsonObject("hawk")
                        .getAsJsonObject("perplexity");
        double bits = scores.get("bits_per_byte").getAsDouble();
        // 7 of the 8 bytes of the first line are scored; they hold 2 words.
        assertThat(scores.get("tokens").getAsLong()).isEqualTo(7);
        double nats = bits * 8 * Math.log(2);
        assertThat(scores.get("word_perplexity").getAsDouble())
                .isCloseTo(Math.exp(nats / 2), ROUNDING);
        assertThat(scores.get("byte_perplexity").getAsDouble())
                .isCloseTo(Math.exp(nats / 8), ROUNDING);
        assertThat(scores.get("token_perplexity").getAsDouble())
                .isCloseTo(Math.exp(nats / 7), ROUNDING);
    }

    private static CommandLineRun evaluate(String task, String models, String text) {
        return CommandLineRun.of("evaluate", "--task", task, "-m", models, "--text", text);
    }
}
