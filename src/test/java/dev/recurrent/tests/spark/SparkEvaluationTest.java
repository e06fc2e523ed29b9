package dev.recurrent.tests.spark;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.pytorch.jni.JniUtils;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.spark.EvaluateOnSpark;
import dev.recurrent.evaluation.spark.EvaluationRequest;
import dev.recurrent.evaluation.spark.SparkEvaluation;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Measured;
import dev.recurrent.evaluation.task.Progress;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskRunner;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.tests.support.ForkedJvm;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.Pretrained;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.apache.spark.deploy.SparkSubmit;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Executors in processes of their own give what one process gives, to the last bit. */
class SparkEvaluationTest {

    private static final String MODEL = "gated-deltanet";
    private static final int DOCUMENTS = 24;

    /** Windows that do not divide the texts, so that batches hold rows of several lengths. */
    private static final TaskOptions OPTIONS = TaskOptions.DEFAULT.withLength(48).withSeed(3);

    @TempDir private static Path folder;
    private static LocalCluster cluster;
    private static Path texts;

    @BeforeAll
    static void start() throws IOException {
        texts = Files.write(folder.resolve("texts.jsonl"), lines());
        cluster = new LocalCluster(folder.resolve("spark"));
    }

    @AfterAll
    static void stop() {
        cluster.close();
    }

    /** Texts of 2 to some 200 bytes, some of several bytes a letter, with empty lines between. */
    private static List<String> lines() {
        SplittableRandom random = new SplittableRandom(1);
        String[] words = {"river", "name", "Fluß", "𝄞", "the", "a"};
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < DOCUMENTS; i++) {
            StringBuilder text = new StringBuilder("It");
            for (int left = random.nextInt(i % 4 == 0 ? 1 : 40); left > 0; left--) {
                text.append(' ').append(words[random.nextInt(words.length)]);
            }
            lines.add("{\"text\": \"" + text + "\"}");
            if (i % 7 == 0) {
                lines.add(i % 2 == 0 ? "" : " \t");
            }
        }
        return lines;
    }

    @ParameterizedTest
    @CsvSource({"1, 3", "2, 1", "7, 3", "64, 8"})
    void linesThatExecutorsReadGiveTheSameBits(int partitions, int batch) throws Exception {
        EvaluationRequest request =
                EvaluationRequest.of(MODEL, "perplexity", OPTIONS)
                        .withBatch(batch)
                        .withLines(texts.toUri().toString());
        Measured measured = evaluate(request, partitions);
        assertThat(measured.documents()).isEqualTo(DOCUMENTS);
        assertThat(measured).isEqualTo(alone(OPTIONS, batch));
    }

    @Test
    void documentsOfTheDriverGiveTheSameBits() throws Exception {
        TaskOptions streaming = OPTIONS.withLength(0).withText(texts).withLimit(DOCUMENTS - 5);
        EvaluationRequest request =
                EvaluationRequest.of(MODEL, "perplexity", streaming).withBatch(4);
        Measured measured = evaluate(request, 3);
        assertThat(measured.documents()).isEqualTo(DOCUMENTS - 5);
        assertThat(measured).isEqualTo(alone(streaming, 4));
    }

    @Test
    void drawnDocumentsGiveTheSameBits() throws Exception {
        TaskOptions drawn = TaskOptions.DEFAULT.withLength(32).withLimit(13);
        Measured measured = evaluate(EvaluationRequest.of(MODEL, "mqar", drawn).withBatch(2), 4);
        assertThat(measured.documents()).isEqualTo(13);
        assertThat(measured).isEqualTo(alone("mqar", drawn, 2));
    }

    @Test
    void aLimitCountsLinesThatAreNotEmpty() throws Exception {
        TaskOptions some = OPTIONS.withLimit(11);
        EvaluationRequest request =
                EvaluationRequest.of(MODEL, "perplexity", some)
                        .withBatch(2)
                        .withLines(texts.toUri().toString());
        assertThat(evaluate(request, 5)).isEqualTo(alone(some, 2));
    }

    @Test
    void aLostExecutorIsMadeUpFor() throws Exception {
        AtomicBoolean killed = new AtomicBoolean();
        AtomicBoolean removed = new AtomicBoolean();
        SparkListener killer =
                new SparkListener() {
                    @Override
                    public void onTaskEnd(SparkListenerTaskEnd end) {
                        if (killed.compareAndSet(false, true)) {
                            executors().findFirst().orElseThrow().destroyForcibly();
                        }
                    }

                    @Override
                    public void onExecutorRemoved(SparkListenerExecutorRemoved executor) {
                        removed.set(true);
                    }
                };
        cluster.context().sc().addSparkListener(killer);
        TaskOptions options = OPTIONS.withText(texts);
        Measured measured = evaluate(EvaluationRequest.of(MODEL, "perplexity", options), DOCUMENTS);
        cluster.context().sc().removeSparkListener(killer);
        assertThat(removed).isTrue();
        assertThat(measured).isEqualTo(alone(OPTIONS, 1));
    }

    /** The only processes that this one starts; their command lines are too long to be seen. */
    private static Stream<ProcessHandle> executors() {
        return ProcessHandle.current().children();
    }

    @Test
    void faultsAreThoseOfOneProcess() throws IOException {
        List<String> lines = lines();
        lines.set(25, "{\"txt\": \"no text\"}");
        lines.set(20, "{\"text\": \"no end\"");
        Path broken = Files.write(folder.resolve("broken.jsonl"), lines);
        String uri = broken.toUri().toString();
        String expected =
                catchThrowableOfType(
                                InvalidInputException.class,
                                () -> Tasks.create("perplexity", OPTIONS.withText(broken)))
                        .getMessage();
        assertThat(expected).contains("line 21:");
        EvaluationRequest request =
                EvaluationRequest.of(MODEL, "perplexity", OPTIONS).withLines(uri);
        assertRefused(request, expected.replace(broken.toString(), uri));
        assertRefused(request.withLines(uri + "x"), "There is no file " + uri + "x");
    }

    @Test
    void refusesBytesThatAreNotUtf8() throws IOException {
        Path file = folder.resolve("latin1.jsonl");
        Files.write(file, List.of("{\"text\": \"a b\"}", "", "{\"text\": \"\u00e9\"}"), ISO_8859_1);
        String uri = file.toUri().toString();
        assertRefused(
                EvaluationRequest.of(MODEL, "perplexity", OPTIONS).withLines(uri),
                uri + " is not UTF-8 text: see line 3");
    }

    @Test
    void whatOnlyTheModelTellsComesBackFromTheExecutor() throws IOException {
        Path file = Files.write(folder.resolve("short.jsonl"), List.of("{\"text\": \"x\"}"));
        String uri = file.toUri().toString();
        assertRefused(
                EvaluationRequest.of(MODEL, "perplexity", OPTIONS).withLines(uri),
                uri + ", line 1 has one token; perplexity needs two or more");
    }

    @Test
    void refusesUnknownNamesBeforeAnythingRuns() {
        assertRefused(
                EvaluationRequest.of("gated", "perplexity", OPTIONS.withText(texts)),
                "Unknown model 'gated': ");
        assertRefused(
                EvaluationRequest.of(MODEL, "perplex", OPTIONS.withText(texts)),
                "Unknown task 'perplex': did you mean perplexity?");
    }

    private static void assertRefused(EvaluationRequest request, String message) {
        assertThatThrownBy(() -> evaluate(request, 3))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageStartingWith(message);
    }

    /** The program, as spark-submit starts it. */
    @Test
    void theProgramPrintsTheUsualTable() throws Exception {
        Path home = folder.resolve("submit");
        LocalCluster.prepare(home);
        Path results = folder.resolve("results.json");
        ForkedJvm.Result run =
                ForkedJvm.run(
                        List.of(
                                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                                "--add-opens=java.base/java.nio=ALL-UNNAMED",
                                "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
                                "-Dspark.testing=true",
                                "-Dspark.test.home=" + home),
                        SparkSubmit.class,
                        "--master=local-cluster[1,1,512]",
                        "--conf=spark.executor.memory=512m",
                        "--conf=spark.ui.enabled=false",
                        "--conf=spark.driver.host=localhost",
                        "--conf=spark.driver.bindAddress=127.0.0.1",
                        "--conf=spark.home=" + home,
                        "--conf=spark.executor.extraJavaOptions=" + LocalCluster.EXECUTOR_OPTIONS,
                        "--class=" + EvaluateOnSpark.class.getName(),
                        "spark-internal",
                        "-m",
                        MODEL,
                        "-t",
                        "perplexity",
                        "--text",
                        texts.toUri().toString(),
                        "--seq-len",
                        "48",
                        "-b",
                        "2",
                        "--seed",
                        "3",
                        "-o",
                        results.toString());
        assertThat(run.exit()).as(run.output()).isZero();
        assertThat(run.output()).contains("| perplexity |     48 | bits_per_byte ");
        JsonObject values =
                JsonParser.parseString(Files.readString(results))
                        .getAsJsonObject()
                        .getAsJsonObject("results")
                        .getAsJsonObject(MODEL)
                        .getAsJsonObject("perplexity@48");
        for (Estimate estimate : alone(OPTIONS, 2).estimates()) {
            String name = estimate.metric().name();
            assertThat(values.get(name).getAsDouble()).isEqualTo(estimate.value());
            assertThat(values.get(name + "_stderr").getAsDouble())
                    .isEqualTo(estimate.standardError());
        }
    }

    private static Measured evaluate(EvaluationRequest request, int partitions) throws Exception {
        return Measured.of(new SparkEvaluation(cluster.context(), partitions).evaluate(request));
    }

    /** What this process measures by itself, with as many threads as an executor. */
    private static Measured alone(TaskOptions options, int batch) throws Exception {
        return alone("perplexity", options.withText(texts), batch);
    }

    private static Measured alone(String task, TaskOptions options, int batch) throws Exception {
        Engine.getEngine("PyTorch");
        int threads = JniUtils.getNumThreads();
        JniUtils.setNumThreads(LocalCluster.THREADS);
        try {
            return measure(Tasks.create(task, options), options.seed(), batch);
        } finally {
            JniUtils.setNumThreads(threads);
        }
    }

    private static Measured measure(Task task, long seed, int batch) throws Exception {
        try (Pretrained model = ModelReference.of(MODEL).open(Device.cpu(), 0)) {
            Traits traits =
                    new Traits(MODEL, model.tokenizer(), model.config().model().vocabulary());
            Scorer scorer = new Scorer(model.model(), model.tokenizer(), model.manager(), batch);
            return Measured.of(
                    new TaskRunner(task, seed)
                            .run(task.fit(traits), scorer, outcome -> {}, Progress.NONE));
        }
    }
}
