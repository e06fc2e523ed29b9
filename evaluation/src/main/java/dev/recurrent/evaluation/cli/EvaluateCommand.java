package dev.recurrent.evaluation.cli;

import ai.djl.Device;
import dev.recurrent.evaluation.Suggestions;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.Memory;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.task.Measured;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskRunner;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.Pretrained;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
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
            "Measures models by tasks and prints a table of the scores.",
            "perplexity reads a UTF-8 text in one pass that carries the state; its first token is"
                    + " context only."
        })
final class EvaluateCommand implements Callable<Integer> {

    /** How results are printed. */
    enum Format {
        TABLE,
        JSON
    }

    @Spec private CommandSpec spec;

    @Mixin private ModelOption models;

    @Mixin private DeviceOption device;

    @Option(
            names = {"--tasks", "--task", "-t"},
            required = true,
            split = ",",
            paramLabel = "TASK",
            description = "perplexity; several separated by commas.")
    private List<String> taskNames;

    @Option(names = "--text", paramLabel = "FILE", description = "The text that is scored.")
    private Path text;

    @Option(
            names = {"--limit", "-L"},
            paramLabel = "N",
            defaultValue = "0",
            description =
                    "Score a part only, for perplexity the first N lines. Figures are then not"
                            + " comparable.")
    private long limit;

    @Option(
            names = "--format",
            defaultValue = "table",
            paramLabel = "FORMAT",
            description = "table or json (default: ${DEFAULT-VALUE}).")
    private Format format;

    @Override
    public Integer call() throws Exception {
        List<Task> tasks = tasks();
        List<ModelName> names = models.names();
        if (limit > 0) {
            spec.commandLine()
                    .getErr()
                    .println("--limit " + limit + ": these figures are not comparable");
        }
        Instant start = Instant.now().truncatedTo(ChronoUnit.SECONDS);
        List<ModelResult> results = new ArrayList<>();
        for (ModelName name : names) {
            name.warn(spec.commandLine().getErr());
            try (Pretrained model = name.open(device)) {
                for (Task task : tasks) {
                    results.add(measure(name.text(), model, task));
                }
            }
        }
        EvaluationReport report = new EvaluationReport(results, settings(start));
        PrintWriter out = spec.commandLine().getOut();
        out.print(format == Format.JSON ? report.toJson() : report.toTable());
        return 0;
    }

    /** Makes the tasks, so that unknown names and bad input show before a model is loaded. */
    private List<Task> tasks() throws Exception {
        TaskOptions options = TaskOptions.DEFAULT.withText(text).withLimit(limit);
        for (String name : taskNames) {
            if (!Tasks.names().contains(name)) {
                throw Suggestions.unknown("task", name, Tasks.names());
            }
        }
        List<Task> tasks = new ArrayList<>();
        for (String name : taskNames) {
            tasks.add(Tasks.create(name, options));
        }
        return tasks;
    }

    private ModelResult measure(String name, Pretrained model, Task task) throws Exception {
        Traits traits = new Traits(name, model.tokenizer(), model.config().model().vocabulary());
        Scorer scorer = new Scorer(model.model(), model.tokenizer(), model.manager(), 1);
        Device where = model.manager().getDevice();
        ProgressLine progress = new ProgressLine(spec.commandLine().getErr(), name);
        long start = System.nanoTime();
        Measured measured =
                Measured.of(
                        new TaskRunner(task, 0)
                                .run(task.fit(traits), scorer, outcome -> {}, progress));
        double seconds = (System.nanoTime() - start) / 1e9;
        return new ModelResult(name, task.name(), 0, measured, seconds, Memory.peak(where));
    }

    private Map<String, Object> settings(Instant start) {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("text", text == null ? null : text.toString());
        settings.put("limit", limit == 0 ? null : limit);
        settings.put("device", device.device().toString());
        settings.put("dtype", "float32");
        settings.put("batch_size", 1);
        settings.put("date", start.toString());
        return settings;
    }
}
