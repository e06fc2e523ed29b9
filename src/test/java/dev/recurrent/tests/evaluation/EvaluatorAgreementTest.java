package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.EvaluatorTrainingListener;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.data.Corpus;
import dev.recurrent.training.data.Mqar;
import dev.recurrent.training.data.ResumableDataset;
import dev.recurrent.training.data.Seeds;
import dev.recurrent.training.data.SyntheticDataset;
import dev.recurrent.training.data.Texts;
import dev.recurrent.training.data.TokenWindows;
import dev.recurrent.training.metric.Perplexity;
import dev.recurrent.training.metric.RecallAccuracy;
import dev.recurrent.training.metric.TokenCrossEntropy;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.PretrainedModel;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What DJL's trainer says of a validation set is what the command says of it. */
class EvaluatorAgreementTest {

    private static final int LENGTH = 64;
    private static final int BATCH = 4;

    /** "test" in ASCII: what the recall tasks derive their examples' seed by. */
    private static final long TEST_SPLIT = 0x74657374;

    @TempDir private Path folder;

    @Test
    void perplexity() throws Exception {
        String text =
                "The bank is patient. So, I find, are we.\n"
                        .repeat(40)
                        .substring(0, 3 * BATCH * LENGTH + 1);
        Path file = Files.writeString(folder.resolve("text.txt"), text);
        try (Pretrained model = ModelReference.of("griffin").open(Device.cpu(), 0);
                Corpus corpus = Corpus.of(Texts.of(file, "text"), new ByteTokenizer())) {
            ResumableDataset windows =
                    TokenWindows.builder()
                            .setCorpus(corpus)
                            .setLength(LENGTH)
                            .setBatch(BATCH)
                            .buildReading();
            TaskOptions options = TaskOptions.DEFAULT.withText(file).withLength(LENGTH);
            double expected = command(model, "perplexity", options, "token_perplexity");
            // The evaluator answers in fp32.
            assertThat(evaluator(model, windows, new Perplexity()))
                    .isCloseTo(expected, within(1e-5 * expected));
        }
    }

    @Test
    void recall() throws Exception {
        int examples = 40;
        try (Pretrained model = ModelReference.of("hawk:recall-bytes").open(Device.cpu(), 0)) {
            double expected =
                    command(
                            model,
                            "mqar",
                            TaskOptions.DEFAULT.withLength(LENGTH).withLimit(examples),
                            "acc");
            ResumableDataset drawn =
                    new SyntheticDataset(
                            new Mqar(LENGTH, LENGTH / 16, 256),
                            examples,
                            BATCH,
                            Seeds.mix(0, TEST_SPLIT));
            // A model that has neither all right nor all wrong, or anything would agree.
            assertThat(expected).isBetween(0.1, 0.9);
            assertThat(evaluator(model, drawn, new RecallAccuracy()))
                    .isCloseTo(expected, within(1e-6));
        }
    }

    private static double command(Pretrained model, String name, TaskOptions options, String metric)
            throws Exception {
        Task task = Tasks.create(name, options);
        return TaskRun.of(task, model.model(), model.tokenizer(), model.manager(), 3).value(metric);
    }

    private static double evaluator(
            Pretrained pretrained, ResumableDataset data, Evaluator evaluator) throws Exception {
        PretrainedModel model = new PretrainedModel("model", pretrained);
        LanguageModelTrainingConfig config =
                new LanguageModelTrainingConfig(new TokenCrossEntropy());
        config.addEvaluator(evaluator).addTrainingListeners(new EvaluatorTrainingListener());
        try (Trainer trainer = model.newTrainer(config)) {
            EasyTrain.evaluateDataset(trainer, data);
            return evaluator.getAccumulator(EvaluatorTrainingListener.VALIDATE_EPOCH);
        }
    }
}
