package dev.recurrent.blocks.mixer;

import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.NormConfig;

/**
 * An attention mixer with any number of key/value heads.
 *
 * @param heads H
 * @param keyValueHeads KV, a divisor of H
 * @param headDim K = V
 * @param window keys that a token sees, itself included; 0 for all
 * @param rotaryDim leading part of each head that is rotated; 0 for no positional encoding
 * @param rotaryTheta base of the rotation's wavelengths
 * @param projectionBias whether q, k and v have biases
 * @param outputBias whether the output projection has a bias
 * @param queryKeyNorm where queries and keys are normalised
 * @param norm how they are normalised; null without
 * @param outputGate whether q_proj also yields a gate, and the output is multiplied by its sigmoid
 *     (Qwen3.5)
 */
public record AttentionConfig(
        long heads,
        long keyValueHeads,
        long headDim,
        int window,
        long rotaryDim,
        double rotaryTheta,
        boolean projectionBias,
        boolean outputBias,
        QueryKeyNorm queryKeyNorm,
        NormConfig norm,
        boolean outputGate)
        implements MixerConfig {

    /** Where queries and keys are normalised, before rotation. */
    public enum QueryKeyNorm {
        NONE,
        /** Over each head (Qwen3.5). */
        HEAD,
        /** Over all heads together (OLMo-Hybrid). */
        WIDTH
    }

    /** Checks the values. */
    public AttentionConfig {
        if (heads < 1 || keyValueHeads < 1 || heads % keyValueHeads != 0) {
            throw new IllegalArgumentException(
                    "heads " + heads + " must be a multiple of keyValueHeads " + keyValueHeads);
        }
        if (window < 0 || rotaryDim < 0 || rotaryDim > headDim || rotaryDim % 2 != 0) {
            throw new IllegalArgumentException(
                    "Attention needs window >= 0 and an even rotaryDim in [0, headDim], not window "
                            + window
                            + ", rotaryDim "
                            + rotaryDim
                            + ", headDim "
                            + headDim);
        }
        if ((queryKeyNorm == QueryKeyNorm.NONE) != (norm == null)) {
            throw new IllegalArgumentException("A norm is given exactly where it is used");
        }
    }

    /**
     * Attention with a rotation over whole heads and no extras, as flash-linear-attention's hybrids
     * have it.
     *
     * @param heads H
     * @param keyValueHeads KV
     * @param headDim K
     * @param window keys that a token sees, itself included; 0 for all
     * @return the configuration
     */
    public static AttentionConfig plain(long heads, long keyValueHeads, long headDim, int window) {
        return new AttentionConfig(
                heads,
                keyValueHeads,
                headDim,
                window,
                headDim,
                10_000,
                false,
                false,
                QueryKeyNorm.NONE,
                null,
                false);
    }

    @Override
    public MultiQueryAttention create(long width, Initialization initialization) {
        return new MultiQueryAttention(width, this, initialization);
    }
}
