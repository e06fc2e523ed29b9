package dev.recurrent.blocks.nn;

/**
 * A gated MLP.
 *
 * @param hidden its inner width
 * @param activation what the gate goes through: SILU for SwiGLU, GELU_TANH for GeGLU
 * @param bias whether its projections have biases
 */
public record MlpConfig(long hidden, Activation activation, boolean bias) {

    /** Checks the values. */
    public MlpConfig {
        if (hidden < 1) {
            throw new IllegalArgumentException("An MLP's hidden width must be >= 1, not " + hidden);
        }
    }
}
