package dev.recurrent.tests.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Measured;
import dev.recurrent.evaluation.task.Metric;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CompareCommandTest {

    @TempDir private Path folder;

    private String write(String name, double value, long limit) throws IOException {
        Estimate estimate = new Estimate(Metric.accuracy("acc"), null, value, 0.03, 100);
        Measured measured = new Measured(List.of(estimate), List.of(), 100, 1000, 64);
        EvaluationReport report =
                new EvaluationReport(
                        List.of(new ModelResult("hawk", "mqar", 64, measured, 1, 0)),
                        Map.of("limit", limit),
                        Map.of(),
                        Instant.EPOCH,
                        1);
        return Files.writeString(folder.resolve(name), report.toJson()).toString();
    }

    @ParameterizedTest
    @CsvSource({
        "table, '| Model '",
        "markdown, '| Model '",
        "json, '{'",
        "csv, 'model_a,model_b,'"
    })
    void printsTheComparison(String format, String start) throws IOException {
        String a = write("a.json", 0.5, 100);
        String b = write("b.json", 0.75, 100);
        CommandLineRun run = CommandLineRun.of("compare", a, b, "--format", format);
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith(start).contains("hawk", "mqar", "acc", "**");
        assertThat(run.err()).isEmpty();
    }

    @Test
    void warnsIfTheRunsAreNotAlike() throws IOException {
        CommandLineRun run =
                CommandLineRun.of("compare", write("a.json", 0.5, 10), write("b.json", 0.5, 20));
        assertThat(run.code()).isZero();
        assertThat(run.err()).contains("warning: The runs differ in limit: 10 / 20");
    }

    @Test
    void refusesWhatIsNoResultsFile() throws IOException {
        String a = write("a.json", 0.5, 10);
        String other = Files.writeString(folder.resolve("config.json"), "{}").toString();
        CommandLineRun run = CommandLineRun.of("compare", a, other);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("config.json", "not a results file");
        assertThat(CommandLineRun.of("compare", a, a, "--samples").err())
                .contains("no samples of mqar");
        assertThat(CommandLineRun.of("compare", a).code()).isEqualTo(2);
    }
}
