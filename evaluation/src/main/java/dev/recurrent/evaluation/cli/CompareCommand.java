package dev.recurrent.evaluation.cli;

import dev.recurrent.evaluation.report.compare.Comparison;
import dev.recurrent.evaluation.report.compare.ComparisonReport;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares two evaluations. */
@Command(
        name = "compare",
        header = "Compares two evaluations, and tells differences from chance.",
        description = {
            "Compares two results files of evaluate -o: for each score in both the difference, its"
                    + " standard error, z and the two-sided p-value. Where both runs logged their"
                    + " samples, scores are paired by document, and a permutation test is made"
                    + " as well.",
            "Models are matched by name; runs of one model each are compared whatever their names."
        })
final class CompareCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "A.json", description = "The results compared with.")
    private Path first;

    @Parameters(index = "1", paramLabel = "B.json", description = "The results compared.")
    private Path second;

    @Option(
            names = "--samples",
            description = "Fail where the samples for pairing are not beside the results.")
    private boolean samples;

    @Option(
            names = "--holm",
            description = "Put stars by p-values corrected for the number of comparisons.")
    private boolean holm;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Seed of the permutation tests (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--format",
            defaultValue = "table",
            paramLabel = "FORMAT",
            description = "table, json, csv or markdown (default: ${DEFAULT-VALUE}).")
    private OutputFormat format;

    @Override
    public Integer call() throws Exception {
        Comparison comparison = Comparison.of(first, second, samples, seed);
        PrintWriter err = spec.commandLine().getErr();
        comparison.warnings().forEach(warning -> err.println("warning: " + warning));
        ComparisonReport report = new ComparisonReport(comparison, holm);
        spec.commandLine()
                .getOut()
                .print(
                        switch (format) {
                            case TABLE, SUMMARY -> report.toTable();
                            case JSON -> report.toJson();
                            case CSV -> report.toCsv();
                            case MARKDOWN -> report.toMarkdown();
                        });
        return 0;
    }
}
