package dev.recurrent.blocks;

import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.NormConfig;
import java.util.List;

/**
 * A language model as data.
 *
 * @param width D
 * @param vocabulary number of token ids
 * @param norm how the residual stream is normalised
 * @param layers from the embedding to the head
 * @param tiedHead whether the head is the embedding table
 * @param embeddingScale what embeddings are multiplied by
 * @param softCap c in c·tanh(logits/c); 0 for none
 * @param initialization how weights start
 */
public record LanguageModelConfig(
        long width,
        long vocabulary,
        NormConfig norm,
        List<LayerConfig> layers,
        boolean tiedHead,
        double embeddingScale,
        double softCap,
        Initialization initialization) {

    /** Checks the values. */
    public LanguageModelConfig {
        if (width < 1 || vocabulary < 1 || layers.isEmpty() || softCap < 0) {
            throw new IllegalArgumentException(
                    "A model needs width and vocabulary >= 1, a layer and softCap >= 0");
        }
        layers = List.copyOf(layers);
    }

    /** A model without embedding scale and soft cap. */
    public LanguageModelConfig(
            long width,
            long vocabulary,
            NormConfig norm,
            List<LayerConfig> layers,
            boolean tiedHead,
            Initialization initialization) {
        this(width, vocabulary, norm, layers, tiedHead, 1, 0, initialization);
    }

    /** Returns the same model with weights that start in another way. */
    public LanguageModelConfig with(Initialization other) {
        return new LanguageModelConfig(
                width, vocabulary, norm, layers, tiedHead, embeddingScale, softCap, other);
    }
}
