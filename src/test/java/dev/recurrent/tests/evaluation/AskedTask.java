package dev.recurrent.tests.evaluation;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.score.StreamingScorer;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Progress;
import dev.recurrent.evaluation.task.Tally;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskRunner;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** What a task asked a model, and what came of it. */
record AskedTask(Tally tally, List<Outcome> outcomes) {

    static AskedTask of(
            Task task, LanguageModel model, Tokenizer tokenizer, NDManager manager, int batch)
            throws IOException {
        List<Outcome> outcomes = new ArrayList<>();
        Traits traits = new Traits("model", tokenizer, model.config().vocabulary());
        Tally tally =
                new TaskRunner(task, 0)
                        .run(
                                task.fit(traits),
                                new Scorer(model, tokenizer, manager, batch),
                                outcomes::add,
                                Progress.NONE);
        return new AskedTask(tally, outcomes);
    }

    /** Creates a model of any vocabulary, with weights large enough that context matters. */
    static LanguageModel model(NDManager manager, int vocabulary) {
        LayerConfig layer =
                new LayerConfig(
                        DeltaNetConfig.deltaNet().setHeads(2).setHeadDims(8, 8).build(),
                        new MlpConfig(24, Activation.SILU, false));
        LanguageModel model =
                new LanguageModel(
                        new LanguageModelConfig(
                                16,
                                vocabulary,
                                NormConfig.plain(1e-6),
                                List.of(layer),
                                false,
                                Initialization.normal(0.5)));
        manager.getEngine().setRandomSeed(11);
        model.initialize(manager, DataType.FLOAT32);
        return model;
    }

    /** The log-likelihood of a row's last tokens, from one pass over the whole row. */
    static double logLikelihood(LanguageModel model, NDManager manager, long[] row, int scored) {
        double[] sum = new double[1];
        try (StreamingScorer scorer =
                new StreamingScorer(
                        model,
                        manager,
                        (position, nll) -> sum[0] -= position >= row.length - scored ? nll : 0)) {
            for (long id : row) {
                scorer.add(id);
            }
            scorer.finish();
        }
        return sum[0];
    }

    double value(String metric) {
        return tally.wholes().stream()
                .collect(Collectors.toMap(e -> e.metric().name(), e -> e))
                .get(metric)
                .value();
    }

    Map<String, Object> sample(int index) {
        return outcomes.get(index).sample();
    }

    @SuppressWarnings("unchecked")
    List<String> strings(int index, String key) {
        return (List<String>) sample(index).get(key);
    }

    @SuppressWarnings("unchecked")
    List<Double> logLikelihoods(int index) {
        return (List<Double>) sample(index).get("log_likelihoods");
    }
}
