package dev.recurrent.zoo.config;

import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.zoo.naming.NameMap;

/**
 * How one upstream implementation describes its models and names their weights.
 *
 * <p>Keys that change nothing here (caches, dropout, kernels) are not read. Keys that change the
 * mathematics are read or refused.
 */
sealed interface ModelFormat
        permits FlaFormat, Mamba2Format, RecurrentGemmaFormat, Qwen35Format, OlmoHybridFormat {

    /** Returns upstream's class for causal language models. */
    String architecture();

    /** Returns the special tokens of a configuration that does not mention them. */
    SpecialTokens defaultTokens();

    /**
     * Returns the length that upstream trained at where a configuration does not say; 0 for any.
     */
    long defaultMaxPositions();

    /**
     * Reads a model.
     *
     * @throws ConfigException if a value is malformed or not supported
     */
    LanguageModelConfig read(ConfigKeys keys) throws ConfigException;

    /**
     * Returns the keys that say what a model is.
     *
     * @param maxPositions the length that it is trained at; 0 if nothing says so
     * @throws IllegalArgumentException if upstream has no words for it
     */
    JsonObject write(LanguageModelConfig model, long maxPositions);

    /** Returns the names of a model's weights. */
    NameMap names(LanguageModelConfig model);
}
