package dev.recurrent.tests.evaluation;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.evaluation.score.StreamingScorer;
import java.util.List;

/** A model of a recurrent and an attention layer that knows bytes. */
final class SmallModel {

    static final int VOCABULARY = 256;
    private static final int WIDTH = 32;

    private SmallModel() {}

    /** Creates the model with random weights, large enough that context matters. */
    static LanguageModel create(NDManager manager) {
        return create(manager, VOCABULARY);
    }

    /** Creates the model with another vocabulary. */
    static LanguageModel create(NDManager manager, long vocabulary) {
        MlpConfig mlp = new MlpConfig(48, Activation.SILU, false);
        LanguageModel model =
                new LanguageModel(
                        new LanguageModelConfig(
                                WIDTH,
                                vocabulary,
                                NormConfig.plain(1e-6),
                                List.of(
                                        new LayerConfig(
                                                DeltaNetConfig.deltaNet()
                                                        .setHeads(2)
                                                        .setHeadDims(16, 16)
                                                        .build(),
                                                mlp),
                                        new LayerConfig(AttentionConfig.plain(2, 1, 16, 8), mlp)),
                                false,
                                Initialization.normal(0.2)));
        manager.getEngine().setRandomSeed(7);
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
}
