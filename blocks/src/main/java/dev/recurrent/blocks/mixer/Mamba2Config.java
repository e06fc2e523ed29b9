package dev.recurrent.blocks.mixer;

import dev.recurrent.blocks.nn.Initialization;

/**
 * A Mamba-2 mixer (arXiv 2405.21060; {@code mamba_ssm.modules.mamba2.Mamba2}, {@code
 * transformers.Mamba2Mixer}). E = heads · headDim.
 *
 * @param heads H
 * @param headDim P, the value dimension of a head
 * @param stateSize N, the key dimension of a head
 * @param groups G; head i reads B and C of group i / (H/G)
 * @param taps W of the convolution over [x, B, C]
 * @param convolutionBias whether the convolution has a bias
 * @param projectionBias whether in_proj and out_proj have biases
 * @param minStep least dt after softplus
 * @param maxStep greatest dt after softplus; may be infinite
 * @param normGroups parts over which the output norm takes its means: 1 in transformers, G in
 *     mamba_ssm
 * @param epsilon of the output norm
 */
public record Mamba2Config(
        long heads,
        long headDim,
        long stateSize,
        long groups,
        int taps,
        boolean convolutionBias,
        boolean projectionBias,
        double minStep,
        double maxStep,
        long normGroups,
        double epsilon)
        implements MixerConfig {

    /** Checks the values. */
    public Mamba2Config {
        if (heads < 1 || headDim < 1 || stateSize < 1 || taps < 1) {
            throw new IllegalArgumentException(
                    "Mamba-2 needs heads, headDim, stateSize and taps >= 1");
        }
        if (groups < 1 || heads % groups != 0) {
            throw new IllegalArgumentException(
                    "heads " + heads + " must be a multiple of groups " + groups);
        }
        if (!(minStep >= 0 && minStep <= maxStep)) {
            throw new IllegalArgumentException(
                    "The step limits " + minStep + ", " + maxStep + " are not in order");
        }
    }

    /** Returns a mixer as the paper has it: E = 2·D, P = 64, one group, W = 4. */
    public static Mamba2Config ofWidth(long width, long stateSize) {
        return new Mamba2Config(
                2 * width / 64,
                64,
                stateSize,
                1,
                4,
                true,
                false,
                0,
                Double.POSITIVE_INFINITY,
                1,
                1e-5);
    }

    /** Returns E. */
    public long recurrenceWidth() {
        return heads * headDim;
    }

    @Override
    public Mamba2 create(long width, Initialization initialization) {
        return new Mamba2(width, this, initialization);
    }
}
