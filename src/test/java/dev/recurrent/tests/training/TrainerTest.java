package dev.recurrent.tests.training;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.metric.TokenCrossEntropy;
import dev.recurrent.training.optimizer.AdamW;
import dev.recurrent.zoo.Pretrained;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Our trainer, with and without recomputation, against DJL's own. */
class TrainerTest {

    private static final int STEPS = 4;
    private static final int ROWS = 2;
    private static final int LENGTH = 70;

    /**
     * Relative. Sums of another order round in the seventh digit; a lost gradient shows at 4e-3.
     */
    private static final double TOLERANCE = 1e-5;

    static Stream<String> models() {
        return Conformance.models().stream();
    }

    @ParameterizedTest
    @MethodSource("models")
    void lossesFallAsWithTheStockTrainer(String name) throws Exception {
        List<Double> stock = losses(name, false, Trainer::new);
        List<Double> ours = losses(name, false, LanguageModelTrainer::new);
        List<Double> recomputed = losses(name, true, LanguageModelTrainer::new);
        assertThat(stock.get(STEPS - 1)).isLessThan(stock.get(0));
        for (int i = 0; i < STEPS; i++) {
            assertThat(ours.get(i))
                    .as("ours, step %d", i)
                    .isCloseTo(stock.get(i), within(stock, i));
            assertThat(recomputed.get(i))
                    .as("recomputed, step %d", i)
                    .isCloseTo(ours.get(i), within(stock, i));
        }
    }

    private static org.assertj.core.data.Offset<Double> within(List<Double> losses, int i) {
        return org.assertj.core.data.Offset.offset(TOLERANCE * losses.get(i));
    }

    private static List<Double> losses(
            String name,
            boolean recomputing,
            BiFunction<Model, LanguageModelTrainingConfig, Trainer> factory)
            throws Exception {
        try (Pretrained pretrained = Pretrained.load(Conformance.path(name), Device.cpu());
                Model model = Model.newInstance(name, Device.cpu(), "PyTorch")) {
            model.setBlock(pretrained.model());
            LanguageModelTrainingConfig config =
                    new LanguageModelTrainingConfig(new TokenCrossEntropy());
            config.optRecomputation(recomputing).optDevices(new Device[] {Device.cpu()});
            config.optOptimizer(AdamW.builder(pretrained.model()).build());
            List<Double> losses = new ArrayList<>();
            try (Trainer trainer = factory.apply(model, config)) {
                for (int i = 0; i < STEPS; i++) {
                    losses.add(step(trainer, pretrained.config().model().vocabulary()));
                }
            }
            return losses;
        }
    }

    private static double step(Trainer trainer, long vocabulary) {
        try (NDManager manager = trainer.getManager().newSubManager();
                GradientCollector collector = trainer.newGradientCollector()) {
            long[] ids = new Random(5).longs((long) ROWS * (LENGTH + 1), 0, vocabulary).toArray();
            NDArray rows = manager.create(ids, new ai.djl.ndarray.types.Shape(ROWS, LENGTH + 1));
            NDList predictions = trainer.forward(new NDList(rows.get(":, :-1")));
            NDArray loss = trainer.getLoss().evaluate(new NDList(rows.get(":, 1:")), predictions);
            collector.backward(loss);
            double value = loss.getFloat();
            trainer.step();
            return value;
        }
    }
}
