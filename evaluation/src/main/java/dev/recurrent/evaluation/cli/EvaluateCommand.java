package dev.recurrent.evaluation.cli;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.report.ResultsFolder;
import dev.recurrent.evaluation.report.Table;
import dev.recurrent.evaluation.run.Evaluation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures models by tasks. */
@Command(
        name = "evaluate",
        header = "Measures models by tasks.",
        description = {
            "Measures models by tasks and prints a table of the scores and of what they cost.",
            "Without models and tasks: the models in the jar, by a play and by MQAR.",
            "Example: recurrent evaluate -m griffin,path/to/model -t perplexity,niah_single_1"
                    + " --seq-len 256,1k,4k -o results"
        })
final class EvaluateCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Option(
            names = {"--model", "-m"},
            split = ",",
            paramLabel = "MODEL",
            description = "Entries of the zoo (see list) or folders in Hugging Face form.")
    private List<String> models = List.of();

    @Mixin private TaskOption tasks;

    @Mixin private DeviceOption device;

    @Option(
            names = {"--batch-size", "-b"},
            paramLabel = "N",
            defaultValue = "8",
            description = "Sequences that run together (default: ${DEFAULT-VALUE}).")
    private int batch;

    @Option(
            names = {"--output", "-o"},
            paramLabel = "DIR",
            description = "A folder for results as JSON, CSV, Markdown and pictures.")
    private Path output;

    @Option(
            names = {"--log-samples", "-s"},
            description = "Write every question and answer into the output folder.")
    private boolean logSamples;

    @Option(
            names = "--format",
            paramLabel = "FORMAT",
            description =
                    "summary, table, json, csv or markdown (default: table; summary where nothing"
                            + " is named).")
    private OutputFormat format;

    @Option(names = "--list", description = "List the tasks, and do nothing else.")
    private boolean list;

    @Override
    public Integer call() throws Exception {
        if (list) {
            spec.commandLine().getOut().print(taskTable());
            return 0;
        }
        check();
        Instant start = Instant.now();
        Evaluation evaluation = new Evaluation(device.device(), batch, tasks.options().seed());
        add(evaluation);
        if (!tasks.isWhole()) {
            err().println("--limit is given: these figures are not comparable");
        }
        if (output == null) {
            print(report(evaluation, null, start));
            return 0;
        }
        try (ResultsFolder folder = ResultsFolder.create(output, start)) {
            EvaluationReport report = report(evaluation, logSamples ? folder : null, start);
            err().println("results: " + folder.write(report));
            print(report);
        }
        return 0;
    }

    private void check() {
        if (models.isEmpty() && tasks.isGiven()) {
            throw new InvalidInputException("Which models? Name them with --model A,B");
        }
        if (!models.isEmpty() && !tasks.isGiven()) {
            throw new InvalidInputException(
                    "Which tasks? Name them with --tasks A,B; evaluate --list shows all");
        }
        if (batch < 1) {
            throw new InvalidInputException("--batch-size must be at least 1, not " + batch);
        }
        if (logSamples && output == null) {
            throw new InvalidInputException("--log-samples needs a folder: --output DIR");
        }
    }

    private void add(Evaluation evaluation) throws IOException, MalformedModelException {
        if (models.isEmpty()) {
            BundledEvaluation.addTo(evaluation, tasks.options());
            return;
        }
        List<ModelName> names = models.stream().map(ModelName::of).toList();
        List<TaskOption.Sized> sized = tasks.tasks();
        for (ModelName name : names) {
            name.warn(err());
            for (TaskOption.Sized task : sized) {
                evaluation.add(name.reference(), task.task(), task.length());
            }
        }
    }

    private EvaluationReport report(Evaluation evaluation, ResultsFolder samples, Instant start)
            throws IOException, MalformedModelException {
        List<ModelResult> results = evaluation.run(new EvaluationProgress(err(), samples));
        return new EvaluationReport(results, settings(), start);
    }

    private void print(EvaluationReport report) {
        PrintWriter out = spec.commandLine().getOut();
        OutputFormat usual = models.isEmpty() ? OutputFormat.SUMMARY : OutputFormat.TABLE;
        out.print(
                switch (format == null ? usual : format) {
                    case SUMMARY -> report.toSummary();
                    case TABLE -> report.toTable();
                    case JSON -> report.toJson();
                    case CSV -> report.toCsv();
                    case MARKDOWN -> report.toMarkdown();
                });
        out.flush();
    }

    private Map<String, Object> settings() {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("model", models);
        tasks.describe(settings);
        settings.put("batch_size", batch);
        settings.put("device", device.device().toString());
        settings.put("dtype", "float32");
        return settings;
    }

    private static Table taskTable() {
        Table table =
                new Table()
                        .column("Task", Table.Align.LEFT)
                        .column("--seq-len", Table.Align.LEFT)
                        .column("Measures", Table.Align.LEFT);
        Tasks.all()
                .forEach(
                        type ->
                                table.row(
                                        type.name(),
                                        type.hasLength() ? "yes" : "",
                                        type.summary()));
        return table;
    }

    private PrintWriter err() {
        return spec.commandLine().getErr();
    }
}
