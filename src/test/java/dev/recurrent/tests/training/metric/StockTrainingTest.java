package dev.recurrent.tests.training.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.training.metric.Labels;
import dev.recurrent.training.metric.Perplexity;
import dev.recurrent.training.metric.RecallAccuracy;
import dev.recurrent.training.metric.TokenAccuracy;
import dev.recurrent.training.metric.TokenCrossEntropy;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The loss and the evaluators in DJL's own Trainer, listeners and EasyTrain. */
class StockTrainingTest {

    private static final int VOCABULARY = 11;
    private static final int ROWS = 5;
    private static final int TIME = 9;
    private static final int BATCH = 2;

    private final Evaluator perplexity = new Perplexity();
    private final Evaluator accuracy = new TokenAccuracy();
    private final Evaluator recall = new RecallAccuracy();
    private Model model;
    private long[] labels;

    @BeforeEach
    void open() {
        model = Model.newInstance("small", Device.cpu());
        model.setBlock(
                new LanguageModel(
                        new LanguageModelConfig(
                                8,
                                VOCABULARY,
                                NormConfig.plain(1e-6),
                                List.of(
                                        new LayerConfig(
                                                AttentionConfig.plain(2, 1, 4, 0),
                                                new MlpConfig(16, Activation.SILU, false))),
                                false,
                                Initialization.normal(0.3))));
    }

    @AfterEach
    void close() {
        model.close();
    }

    /** Row r counts r tokens fewer than all, so that batches weigh differently. */
    private ArrayDataset dataset(NDManager manager) {
        Random random = new Random(3);
        long[] ids = random.longs((long) ROWS * TIME, 0, VOCABULARY).toArray();
        labels = new long[ids.length];
        for (int i = 0; i < ids.length; i++) {
            labels[i] = i % TIME < 2 * (i / TIME) ? Labels.IGNORED : (ids[i] * 3 + 1) % VOCABULARY;
        }
        Shape shape = new Shape(ROWS, TIME);
        return new ArrayDataset.Builder()
                .setData(manager.create(ids, shape))
                .optLabels(manager.create(labels, shape))
                .setSampling(BATCH, false)
                .build();
    }

    private Trainer trainer() {
        model.getNDManager().getEngine().setRandomSeed(5);
        Trainer trainer =
                model.newTrainer(
                        new DefaultTrainingConfig(new TokenCrossEntropy())
                                .optDevices(new Device[] {Device.cpu()})
                                .optOptimizer(
                                        Optimizer.adam()
                                                .optLearningRateTracker(Tracker.fixed(0.1f))
                                                .build())
                                .addEvaluator(perplexity)
                                .addEvaluator(accuracy)
                                .addEvaluator(recall)
                                .addTrainingListeners(new EvaluatorTrainingListener()));
        trainer.initialize(new Shape(BATCH, TIME));
        return trainer;
    }

    @Test
    void aSetInUnevenBatchesIsMeasuredAsAWhole() throws Exception {
        try (Trainer trainer = trainer();
                NDManager manager = trainer.getManager().newSubManager()) {
            ArrayDataset dataset = dataset(manager);
            EasyTrain.evaluateDataset(trainer, dataset);
            NDList all = new NDList();
            for (int row = 0; row < ROWS; row++) {
                all.add(dataset.get(manager, row).getData().head().reshape(1, TIME));
            }
            NDArray logits = trainer.evaluate(new NDList(NDArrays.concat(all))).head();
            double[][] rows = CrossEntropyOracle.rows(logits.toFloatArray(), VOCABULARY);
            double loss = CrossEntropyOracle.mean(rows, labels);
            // The model's batches differ from the whole by float32 rounding.
            assertThat(validated(trainer.getLoss())).isCloseTo(loss, within(1e-5));
            assertThat(validated(perplexity)).isCloseTo(Math.exp(loss), within(1e-4));
            double right = CrossEntropyOracle.accuracy(rows, labels);
            assertThat(validated(accuracy)).isCloseTo(right, within(1e-6));
            assertThat(validated(recall)).isEqualTo(validated(accuracy));
        }
    }

    private static double validated(Evaluator evaluator) {
        return evaluator.getAccumulator(EvaluatorTrainingListener.VALIDATE_EPOCH);
    }

    @Test
    void easyTrainLearnsARuleOfOneToken() throws Exception {
        try (Trainer trainer = trainer();
                NDManager manager = trainer.getManager().newSubManager()) {
            ArrayDataset dataset = dataset(manager);
            EasyTrain.evaluateDataset(trainer, dataset);
            double before = validated(trainer.getLoss());
            EasyTrain.fit(trainer, 12, dataset, null);
            EasyTrain.evaluateDataset(trainer, dataset);
            assertThat(validated(trainer.getLoss())).isLessThan(before / 3);
            assertThat(validated(accuracy)).isGreaterThan(0.85);
        }
    }
}
