package dev.recurrent.evaluation.spark;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.Suggestions;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.option.MeasureOption;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What is to be measured, as options that {@code recurrent evaluate} has as well. */
final class EvaluationOptions {

    @Option(
            names = {"--model", "-m"},
            required = true,
            split = ",",
            paramLabel = "MODEL",
            description = "An entry of the zoo, or a folder that all machines see.")
    private List<String> models;

    @Option(
            names = {"--tasks", "--task", "-t"},
            required = true,
            split = ",",
            paramLabel = "TASK",
            description = "perplexity …; several separated by commas.")
    private List<String> tasks;

    @Option(
            names = "--text",
            paramLabel = "PATH",
            description = {
                "The text that is scored. A path is read by the driver, which sends out the lines"
                        + " of a JSONL file, and the paths of other files: all machines must see"
                        + " those.",
                "A URI such as hdfs://… or s3a://… is a JSONL file that executors read, each a"
                        + " part of it."
            })
    private String text;

    @Option(
            names = "--data",
            paramLabel = "PATH",
            description =
                    "A folder with the tasks' JSONL files that all machines see, or the URI of one"
                            + " such file.")
    private String data;

    @Mixin private MeasureOption measure;

    @Option(
            names = {"--batch-size", "-b"},
            paramLabel = "N",
            defaultValue = "1",
            description = "What goes through a model together (default: ${DEFAULT-VALUE}).")
    private int batch;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "cpu",
            description = "Of the executors: cpu or gpu (default: ${DEFAULT-VALUE}).")
    private String device;

    /**
     * Returns a request a model, task and length.
     *
     * @throws InvalidInputException if there is no such task, or a value is out of range
     */
    List<EvaluationRequest> requests() {
        List<EvaluationRequest> requests = new ArrayList<>();
        for (String model : models) {
            for (String task : tasks) {
                TaskType type =
                        Tasks.find(task)
                                .orElseThrow(
                                        () -> Suggestions.unknown("task", task, Tasks.names()));
                for (int length : measure.lengths(type)) {
                    requests.add(request(model, task, type, length));
                }
            }
        }
        return requests;
    }

    private EvaluationRequest request(String model, String task, TaskType type, int length) {
        boolean textIsUri = isUri(text);
        boolean dataIsUri = isUri(data);
        if (textIsUri && dataIsUri) {
            throw new InvalidInputException("One URI is wanted, by --text or by --data");
        }
        TaskOptions options =
                measure.options()
                        .withText(path(textIsUri ? null : text))
                        .withData(path(dataIsUri ? null : data));
        return EvaluationRequest.of(model, task, measure.sized(options, type, length))
                .withBatch(batch)
                .withDevice(device)
                .withLines(textIsUri ? text : dataIsUri ? data : null);
    }

    /** A letter and a colon are a drive. */
    private static boolean isUri(String path) {
        return path != null && path.matches("[A-Za-z][A-Za-z0-9+.-]+:.*");
    }

    private static Path path(String text) {
        return text == null ? null : Path.of(text);
    }

    /** Says what the user may not expect of the figures. */
    void warn(PrintWriter err) {
        if (!measure.isWhole()) {
            err.println("--limit is given: these figures are not comparable");
        }
    }

    /** Returns what the results depend on, by name. */
    Map<String, Object> settings() {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("text", text);
        settings.put("data", data);
        measure.describe(settings);
        settings.put("device", device);
        settings.put("dtype", "float32");
        settings.put("batch_size", batch);
        return settings;
    }
}
