package dev.recurrent.tests.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.TinyTrainer;
import dev.recurrent.training.DivergenceException;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.StepReport;
import dev.recurrent.training.metric.TokenCrossEntropy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What our trainer does beyond DJL's. */
class TrainerOptionsTest {

    private static final int LENGTH = 20;

    @Test
    void accumulatedBatchesAreOneLargeBatch() throws Exception {
        try (TinyTrainer whole = new TinyTrainer("gated-deltanet", config -> {});
                TinyTrainer parts =
                        new TinyTrainer("gated-deltanet", config -> config.optAccumulation(2))) {
            List<StepReport> reports = listen(parts);
            for (int step = 0; step < 2; step++) {
                whole.step(step, 4, LENGTH);
                parts.pass(step, 0, 2, LENGTH);
                parts.trainer.step();
                assertThat(reports).hasSize(step);
                parts.pass(step, 2, 2, LENGTH);
                parts.trainer.step();
                assertThat(reports).hasSize(step + 1);
                assertThat(reports.get(step).tokens()).isEqualTo(4 * LENGTH);
            }
            // Adam divides by the gradient's size, so an update of 1e-3 hides nothing; sums of
            // another order change gradients near zero by more than rounding.
            assertClose(parts.weights(), whole.weights(), 2e-4f);
        }
    }

    @Test
    void clippingScalesAllGradientsTogether() throws Exception {
        double limit = 0.25;
        try (TinyTrainer free = sgd(Double.POSITIVE_INFINITY);
                TinyTrainer clipped = sgd(limit)) {
            Map<String, float[]> before = free.weights();
            List<StepReport> reports = listen(clipped);
            free.step(1, 2, LENGTH);
            clipped.step(1, 2, LENGTH);
            double norm = reports.get(0).gradientNorm();
            assertThat(norm)
                    .isGreaterThan(limit)
                    .isCloseTo(distance(before, free.weights()), within(1e-3 * norm));
            assertThat(distance(before, clipped.weights())).isCloseTo(limit, within(1e-3 * limit));
        }
    }

    /** With a learning rate of 1, weights move by the gradient. */
    private static TinyTrainer sgd(double limit) throws Exception {
        return new TinyTrainer(
                "mqa-transformer",
                config ->
                        config.optMaxGradientNorm(limit)
                                .optOptimizer(
                                        Optimizer.sgd()
                                                .setLearningRateTracker(Tracker.fixed(1))
                                                .build()));
    }

    @Test
    void frozenParametersStay() throws Exception {
        try (TinyTrainer tiny = new TinyTrainer("hawk", config -> {})) {
            SizedBlock.parametersOf(tiny.block).get("embedding.weight").freeze(true);
            Map<String, float[]> before = tiny.weights();
            LanguageModelTrainingConfig config = config();
            try (LanguageModelTrainer trainer =
                    new LanguageModelTrainer(tiny.trainer.getModel(), config)) {
                assertThat(trainer.getTrainedParameters()).doesNotContainKey("embedding.weight");
            }
            assertThat(tiny.weights().get("embedding.weight"))
                    .isEqualTo(before.get("embedding.weight"));
            tiny.block.freezeParameters(true);
            assertThatThrownBy(() -> new LanguageModelTrainer(tiny.trainer.getModel(), config))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("nothing can be trained");
        }
    }

    @Test
    void divergenceNamesStepAndParameterAndChangesNothing() throws Exception {
        try (TinyTrainer tiny = new TinyTrainer("griffin", config -> {})) {
            tiny.step(1, 2, LENGTH);
            Map<String, float[]> before = tiny.weights();
            NDArray poisoned =
                    SizedBlock.parametersOf(tiny.block)
                            .get("layers.1.mixer.linear_x.weight")
                            .getArray();
            try (GradientCollector collector = tiny.trainer.newGradientCollector()) {
                collector.backward(poisoned.mul(Float.POSITIVE_INFINITY).sum());
            }
            assertThatThrownBy(tiny.trainer::step)
                    .isInstanceOf(DivergenceException.class)
                    .hasMessageContaining("step 2")
                    .hasMessageContaining("layers.1.mixer.linear_x.weight");
            tiny.weights().forEach((name, w) -> assertThat(w).as(name).isEqualTo(before.get(name)));
            // The poisoned gradients are gone.
            tiny.step(1, 2, LENGTH);
            assertThat(tiny.trainer.getSteps()).isEqualTo(2);
        }
    }

    @Test
    void oneTrainerCollectsAtATime() throws Exception {
        try (TinyTrainer one = new TinyTrainer("hawk", config -> {});
                TinyTrainer other = new TinyTrainer("mamba2", config -> {})) {
            try (GradientCollector collector = one.trainer.newGradientCollector()) {
                assertThatThrownBy(other.trainer::newGradientCollector)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("Another trainer of this process");
                assertThat(collector).isNotNull();
            }
            one.step(1, 1, LENGTH);
            other.step(1, 1, LENGTH);
        }
    }

    /** bfloat16 keeps three digits, float16 four; losses are near log 256. */
    @ParameterizedTest
    @EnumSource(MatrixPrecision.class)
    void precisionsTrainAlike(MatrixPrecision precision) throws Exception {
        try (TinyTrainer full = new TinyTrainer("gated-deltanet-h1", config -> {});
                TinyTrainer tiny =
                        new TinyTrainer(
                                "gated-deltanet-h1", config -> config.optPrecision(precision))) {
            for (int step = 0; step < 3; step++) {
                float expected = full.step(step, 2, LENGTH);
                assertThat(tiny.step(step, 2, LENGTH)).isCloseTo(expected, within(2e-2f));
            }
            assertThat(tiny.trainer.getSteps()).isEqualTo(3);
            assertThat(tiny.trainer.getLossScale().isPresent())
                    .isEqualTo(precision == MatrixPrecision.FLOAT16);
        }
    }

    /** DJL's own losses and evaluators know no bfloat16. */
    @Test
    void lossesOfOthersGetWhatTheyCanRead() throws Exception {
        try (TinyTrainer tiny = new TinyTrainer("gated-deltanet", config -> {})) {
            float expected = tiny.pass(7, 2, LENGTH);
            LanguageModelTrainingConfig own = config().optPrecision(MatrixPrecision.BFLOAT16);
            assertThat(predicted(tiny, own, expected)).isEqualTo(ScalarType.BFLOAT16);
            LanguageModelTrainingConfig others =
                    new LanguageModelTrainingConfig(new LogSoftmaxLoss())
                            .optPrecision(MatrixPrecision.BFLOAT16);
            others.optDevices(new Device[] {Device.cpu()});
            assertThat(predicted(tiny, others, expected)).isEqualTo(ScalarType.FLOAT32);
            LanguageModelTrainingConfig measured = config().optPrecision(MatrixPrecision.BFLOAT16);
            measured.addEvaluator(new Accuracy("accuracy", 2));
            assertThat(predicted(tiny, measured, expected)).isEqualTo(ScalarType.FLOAT32);
        }
    }

    /** As a user would write it with what DJL has. */
    private static final class LogSoftmaxLoss extends Loss {

        LogSoftmaxLoss() {
            super("log softmax");
        }

        @Override
        public NDArray evaluate(NDList labels, NDList predictions) {
            NDArray columns = labels.head().expandDims(-1); // [B, T, 1]
            return predictions.head().logSoftmax(-1).gather(columns, -1).mean().neg();
        }
    }

    /** A step as {@code EasyTrain} makes it; returns the type of the predictions. */
    private static ScalarType predicted(
            TinyTrainer tiny, LanguageModelTrainingConfig config, float expected) {
        try (LanguageModelTrainer trainer =
                        new LanguageModelTrainer(tiny.trainer.getModel(), config);
                NDManager manager = trainer.getManager().newSubManager()) {
            NDArray ids = tiny.rows(manager, 7, 0, 2, LENGTH + 1);
            NDList labels = new NDList(ids.get(":, 1:"));
            NDList predictions;
            try (GradientCollector collector = trainer.newGradientCollector()) {
                predictions = trainer.forward(new NDList(ids.get(":, :-1")), labels);
                NDArray loss = trainer.getLoss().evaluate(labels, predictions);
                collector.backward(loss);
                assertThat(loss.getFloat()).isCloseTo(expected, within(2e-2f));
            }
            for (Evaluator evaluator : trainer.getEvaluators()) {
                evaluator.addAccumulator("");
                evaluator.updateAccumulator("", labels, predictions);
                assertThat(evaluator.getAccumulator("")).isFinite();
            }
            return Torch.typeOf(predictions.head());
        }
    }

    /** Managed arrays, after a warm-up, are as many as before. */
    @Test
    void twoHundredStepsLeaveNothingBehind() throws Exception {
        for (boolean recomputing : new boolean[] {false, true}) {
            try (TinyTrainer tiny =
                    new TinyTrainer(
                            "delta-net-swa", config -> config.optRecomputation(recomputing))) {
                tiny.step(1, 1, 3);
                int before = arrays(tiny);
                for (int step = 0; step < 200; step++) {
                    tiny.step(step, 1, 3);
                }
                assertThat(arrays(tiny)).isEqualTo(before);
            }
        }
    }

    private static int arrays(TinyTrainer tiny) {
        return tiny.trainer.getManager().getManagedArrays().size()
                + tiny.trainer.getModel().getNDManager().getManagedArrays().size()
                + SizedBlock.parametersOf(tiny.block)
                        .values()
                        .iterator()
                        .next()
                        .getArray()
                        .getManager()
                        .getManagedArrays()
                        .size();
    }

    @Test
    void zooModelsMakeOurTrainer() throws Exception {
        Criteria<String, String> criteria =
                Criteria.builder()
                        .setTypes(String.class, String.class)
                        .optGroupId("dev.recurrent")
                        .optArtifactId("hawk")
                        .optDevice(Device.cpu())
                        .build();
        try (ZooModel<String, String> model = criteria.loadModel()) {
            DefaultTrainingConfig config = new DefaultTrainingConfig(new TokenCrossEntropy());
            config.optDevices(new Device[] {Device.cpu()});
            try (Trainer trainer = model.newTrainer(config)) {
                assertThat(trainer).isInstanceOf(LanguageModelTrainer.class);
            }
        }
    }

    private static LanguageModelTrainingConfig config() {
        LanguageModelTrainingConfig config =
                new LanguageModelTrainingConfig(new TokenCrossEntropy());
        config.optDevices(new Device[] {Device.cpu()});
        return config;
    }

    private static List<StepReport> listen(TinyTrainer tiny) {
        List<StepReport> reports = new ArrayList<>();
        tiny.trainer.addStepListener((trainer, report) -> reports.add(report));
        return reports;
    }

    private static double distance(Map<String, float[]> one, Map<String, float[]> other) {
        double sum = 0;
        for (Map.Entry<String, float[]> entry : one.entrySet()) {
            float[] values = other.get(entry.getKey());
            for (int i = 0; i < values.length; i++) {
                double difference = (double) values[i] - entry.getValue()[i];
                sum += difference * difference;
            }
        }
        return Math.sqrt(sum);
    }

    private static void assertClose(
            Map<String, float[]> actual, Map<String, float[]> expected, float tolerance) {
        expected.forEach(
                (name, values) ->
                        assertThat(actual.get(name))
                                .as(name)
                                .containsExactly(values, within(tolerance)));
    }
}
