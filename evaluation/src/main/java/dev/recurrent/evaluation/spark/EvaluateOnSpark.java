package dev.recurrent.evaluation.spark;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.task.Measured;
import dev.recurrent.evaluation.task.TaskOptions;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaSparkContext;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The program that {@code spark-submit} runs: {@code recurrent evaluate} on a cluster. */
@Command(
        name = "EvaluateOnSpark",
        header = "Measures models by tasks on Apache Spark.",
        description =
                "Measures models by tasks and prints a table of the scores. Options are those of"
                        + " recurrent evaluate.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        usageHelpAutoWidth = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:done", "1:failure", "2:bad usage or input"})
public final class EvaluateOnSpark implements Callable<Integer> {

    /** Several parts a core, so that cores that are done early find more to do. */
    private static final int PARTITIONS_A_CORE = 4;

    @Spec private CommandSpec spec;

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

    @Option(
            names = "--partitions",
            paramLabel = "N",
            defaultValue = "0",
            description = "Into how many parts documents are divided (default: 4 a core).")
    private int partitions;

    @Option(
            names = {"--output", "-o"},
            paramLabel = "FILE",
            description = "A new file for the results as JSON, on the driver.")
    private Path output;

    private EvaluateOnSpark() {}

    /**
     * Runs the program and ends the JVM with its exit code, if that is not 0.
     *
     * @param arguments as typed
     */
    public static void main(String[] arguments) {
        PrintWriter out = writer(FileDescriptor.out);
        PrintWriter err = writer(FileDescriptor.err);
        int code = run(out, err, arguments);
        out.flush();
        err.flush();
        // Some cluster managers take any exit of their JVM for a failure.
        if (code != ExitCode.OK) {
            System.exit(code);
        }
    }

    /**
     * Runs the program inside this JVM.
     *
     * @param out takes the table
     * @param err takes messages
     * @param arguments as typed
     * @return the exit code
     */
    public static int run(PrintWriter out, PrintWriter err, String... arguments) {
        return new CommandLine(new EvaluateOnSpark())
                .setOut(out)
                .setErr(err)
                .setExecutionExceptionHandler(EvaluateOnSpark::complain)
                .execute(arguments);
    }

    private static int complain(
            Exception exception, CommandLine command, CommandLine.ParseResult result) {
        boolean input =
                exception instanceof InvalidInputException
                        || exception instanceof MalformedModelException;
        command.getErr()
                .println("recurrent: " + (input ? exception.getMessage() : exception.toString()));
        return input ? ExitCode.USAGE : ExitCode.SOFTWARE;
    }

    @Override
    public Integer call() throws Exception {
        if (output != null && Files.exists(output)) {
            throw new InvalidInputException(output + " exists: name a new file for the results");
        }
        List<EvaluationRequest> requests = requests();
        requests.forEach(EvaluationRequest::reference);
        if (limit > 0) {
            spec.commandLine()
                    .getErr()
                    .println("--limit " + limit + ": these figures are not comparable");
        }
        // DJL calls a metadata address when an engine starts unless told not to.
        SparkConf conf =
                new SparkConf()
                        .setIfMissing("spark.app.name", "recurrent evaluate")
                        .setIfMissing("spark.executorEnv.OPT_OUT_TRACKING", "true");
        try (JavaSparkContext context = new JavaSparkContext(conf)) {
            EvaluationReport report = measure(context, requests);
            if (output != null) {
                Files.writeString(output, report.toJson());
            }
            spec.commandLine().getOut().print(report.toTable());
        }
        return ExitCode.OK;
    }

    private List<EvaluationRequest> requests() {
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

    private EvaluationReport measure(JavaSparkContext context, List<EvaluationRequest> requests)
            throws IOException, MalformedModelException, SparkException {
        int parts = partitions == 0 ? PARTITIONS_A_CORE * context.defaultParallelism() : partitions;
        SparkEvaluation evaluation = new SparkEvaluation(context, parts);
        Instant start = Instant.now().truncatedTo(ChronoUnit.SECONDS);
        List<ModelResult> results = new ArrayList<>();
        for (EvaluationRequest request : requests) {
            long begin = System.nanoTime();
            Measured measured = Measured.of(evaluation.evaluate(request));
            double seconds = (System.nanoTime() - begin) / 1e9;
            results.add(
                    new ModelResult(
                            request.model(),
                            request.task(),
                            request.length(),
                            measured,
                            seconds,
                            0));
        }
        return new EvaluationReport(results, settings(context, parts, start));
    }

    private Map<String, Object> settings(JavaSparkContext context, int parts, Instant start) {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("text", text);
        settings.put("data", data);
        settings.put("limit", limit == 0 ? null : limit);
        settings.put("device", device);
        settings.put("dtype", "float32");
        settings.put("batch_size", batch);
        settings.put("seed", seed);
        settings.put("spark", context.version());
        settings.put("partitions", parts);
        settings.put("date", start.toString());
        return settings;
    }

    private static PrintWriter writer(FileDescriptor descriptor) {
        return new PrintWriter(
                new OutputStreamWriter(new FileOutputStream(descriptor), StandardCharsets.UTF_8),
                true);
    }
}
