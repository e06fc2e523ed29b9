package dev.recurrent.evaluation.spark;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.TaskOptions;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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

    @Option(
            names = "--seq-len",
            split = ",",
            paramLabel = "T",
            description = "Length of sequences in tokens; several separated by commas.")
    private List<Integer> lengths = List.of(0);

    @Option(
            names = "--stride",
            paramLabel = "N",
            defaultValue = "0",
            description = "How far perplexity's windows move on (default: their length).")
    private int stride;

    @Option(
            names = "--num-fewshot",
            paramLabel = "N",
            defaultValue = "0",
            description = "Answered examples before a question (default: ${DEFAULT-VALUE}).")
    private int shots;

    @Option(
            names = {"--batch-size", "-b"},
            paramLabel = "N",
            defaultValue = "1",
            description = "What goes through a model together (default: ${DEFAULT-VALUE}).")
    private int batch;

    @Option(
            names = {"--limit", "-L"},
            paramLabel = "N",
            defaultValue = "0",
            description = "Score the first N documents only. Figures are then not comparable.")
    private long limit;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Of all that is drawn (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "cpu",
            description = "Of the executors: cpu or gpu (default: ${DEFAULT-VALUE}).")
    private String device;

    /**
     * Returns a request a model, task and length.
     *
     * @throws InvalidInputException if a value is out of range
     */
    List<EvaluationRequest> requests() {
        List<EvaluationRequest> requests = new ArrayList<>();
        for (String model : models) {
            for (String task : tasks) {
                lengths.forEach(length -> requests.add(request(model, task, length)));
            }
        }
        return requests;
    }

    private EvaluationRequest request(String model, String task, int length) {
        boolean textIsUri = isUri(text);
        boolean dataIsUri = isUri(data);
        if (textIsUri && dataIsUri) {
            throw new InvalidInputException("One URI is wanted, by --text or by --data");
        }
        TaskOptions options =
                new TaskOptions(
                        path(textIsUri ? null : text),
                        path(dataIsUri ? null : data),
                        length,
                        stride,
                        shots,
                        limit,
                        seed);
        return EvaluationRequest.of(model, task, options)
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
        if (limit > 0) {
            err.println("--limit " + limit + ": these figures are not comparable");
        }
    }

    /** Returns what the results depend on, by name. */
    Map<String, Object> settings() {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("text", text);
        settings.put("data", data);
        settings.put("stride", stride == 0 ? null : stride);
        settings.put("num_fewshot", shots);
        settings.put("limit", limit == 0 ? null : limit);
        settings.put("device", device);
        settings.put("dtype", "float32");
        settings.put("batch_size", batch);
        settings.put("seed", seed);
        return settings;
    }
}
