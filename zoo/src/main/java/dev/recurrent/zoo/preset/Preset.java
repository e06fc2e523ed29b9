package dev.recurrent.zoo.preset;

import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.config.SpecialTokens;

/**
 * A model of a known size.
 *
 * @param artifactId its entry in the zoo, such as {@code gated-deltanet-h1}
 * @param size its size, such as {@code 1.3b}; every entry has a {@code tiny} one that reads bytes
 * @param modelType upstream's name for the implementation
 * @param model what it is made of
 * @param tokens its special tokens
 * @param maxPositions the length that it is trained at
 */
public record Preset(
        String artifactId,
        String size,
        String modelType,
        LanguageModelConfig model,
        SpecialTokens tokens,
        long maxPositions) {

    /** The size that every entry has: 1.2M parameters, bytes. */
    public static final String TINY = "tiny";

    /** 10.7M parameters, bytes: nanoGPT's character model, to compare with. */
    static final String SMALL = "10m";

    /** Width 64 and two heads, for recall tasks with zoology's vocabulary of 8192. */
    static final String RECALL = "recall";

    /** As {@link #RECALL}, for keys and values that are bytes. */
    public static final String RECALL_BYTES = "recall-bytes";

    /** Width 64 and five layers, for Griffin's synthetic tasks with a vocabulary of 16. */
    static final String SYNTHETIC = "synthetic";

    /** Returns the model in upstream's words. */
    public HubConfig config() {
        return HubConfig.of(modelType, model, tokens, maxPositions);
    }
}
