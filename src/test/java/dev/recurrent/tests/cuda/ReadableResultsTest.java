package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.training.GradientCollector;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.evaluator.Evaluator;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.evaluation.cli.Main;
import dev.recurrent.tests.support.TinyTrainer;
import dev.recurrent.zoo.generation.Session;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What DJL cannot read from a GPU ends the JVM, and with it these tests. */
@Tag("cuda")
class ReadableResultsTest {

    private static final int LENGTH = 40;

    @BeforeAll
    static void needsAGpu() {
        CudaCase.needDevice();
    }

    @Test
    void benchesOfRulesRunToTheirEnd() {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code =
                Main.run(
                        new PrintWriter(out, true),
                        new PrintWriter(err, true),
                        "bench",
                        "--device",
                        "gpu",
                        "--rule",
                        "delta-rule,gated-delta-rule,linear-recurrence",
                        "--batch",
                        "1",
                        "--length",
                        "" + LENGTH);
        assertThat(code).as(err.toString()).isZero();
        assertThat(out.toString()).contains("bfloat16 forward + backward", "H 6 K 256 V 512");
    }

    @Test
    void sessionsGiveFloat32() throws Exception {
        try (TinyTrainer tiny = new TinyTrainer("griffin", Device.gpu(), config -> {});
                NDManager manager = NDManager.newBaseManager(Device.gpu())) {
            MatrixPrecision.BFLOAT16.during(
                    () -> {
                        try (Session session = new Session(tiny.block, manager)) {
                            assertFinite(session.feed(1, 2, 3));
                            assertFinite(session.feed(4));
                            assertFinite(session.feed(5));
                            NDArray hidden = session.hidden(new long[][] {{6, 7}});
                            assertFinite(session.logits(hidden));
                            assertFinite(hidden);
                        }
                        return null;
                    });
        }
    }

    @Test
    void predictorsGiveFloat32() throws Exception {
        Criteria<NDList, NDList> criteria =
                Criteria.builder()
                        .setTypes(NDList.class, NDList.class)
                        .optGroupId("dev.recurrent")
                        .optArtifactId("gated-deltanet")
                        .optDevice(Device.gpu())
                        .build();
        try (ZooModel<NDList, NDList> model = criteria.loadModel();
                Predictor<NDList, NDList> predictor = model.newPredictor()) {
            NDArray ids = model.getNDManager().create(new long[] {1, 2, 3}, new Shape(1, 3));
            assertFinite(predictor.predict(new NDList(ids)).head());
        }
    }

    @Test
    void evaluatorsOfOthersGetFloat32() throws Exception {
        try (TinyTrainer tiny =
                        new TinyTrainer(
                                "gated-deltanet",
                                Device.gpu(),
                                config ->
                                        config.optPrecision(MatrixPrecision.BFLOAT16)
                                                .addEvaluator(new Accuracy("accuracy", 2)));
                NDManager manager = tiny.trainer.getManager().newSubManager()) {
            NDArray ids = tiny.rows(manager, 7, 0, 2, LENGTH + 1);
            NDList data = new NDList(ids.get(":, :-1"));
            NDList labels = new NDList(ids.get(":, 1:"));
            try (GradientCollector collector = tiny.trainer.newGradientCollector()) {
                NDList predictions = tiny.trainer.forward(data, labels);
                collector.backward(tiny.trainer.getLoss().evaluate(labels, predictions));
                update(tiny.trainer.getEvaluators(), labels, predictions);
                assertFinite(predictions.head());
            }
            tiny.trainer.step();
            update(tiny.trainer.getEvaluators(), labels, tiny.trainer.evaluate(data));
        }
    }

    private static void update(List<Evaluator> evaluators, NDList labels, NDList predictions) {
        assertThat(evaluators).isNotEmpty();
        for (Evaluator evaluator : evaluators) {
            evaluator.addAccumulator("");
            evaluator.updateAccumulator("", labels, predictions);
            assertThat(evaluator.getAccumulator("")).isFinite();
        }
    }

    private static void assertFinite(NDArray array) {
        for (float value : array.toFloatArray()) {
            assertThat(value).isFinite();
        }
    }
}
