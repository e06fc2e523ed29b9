package dev.recurrent.evaluation.spark;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.task.Measured;
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
import picocli.CommandLine.Mixin;
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

    @Mixin private EvaluationOptions options;

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
        List<EvaluationRequest> requests = options.requests();
        requests.forEach(EvaluationRequest::check);
        options.warn(spec.commandLine().getErr());
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
        Map<String, Object> settings = new LinkedHashMap<>(options.settings());
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
