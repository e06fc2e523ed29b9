package dev.recurrent.blocks.mixer;

import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;

/**
 * A DeltaNet or Gated DeltaNet mixer (arXiv 2406.06484, 2412.06464; {@code fla.layers.DeltaNet},
 * {@code fla.layers.GatedDeltaNet}).
 *
 * @param gated whether the state decays: Gated DeltaNet
 * @param heads H, query and key heads
 * @param valueHeads HV, a multiple of H; value head i uses query and key head i / (HV/H)
 * @param keyDim K
 * @param valueDim V
 * @param taps W of the short convolutions; 0 for none
 * @param convolutionBias whether the convolutions have biases
 * @param queryKeyActivation what queries and keys go through; values go through SiLU
 * @param queryKeyNorm how queries and keys are normalised
 * @param beta whether the writing strength is learned; else it is 1
 * @param negativeEigenvalues whether beta is doubled (arXiv 2411.12537)
 * @param outputGate whether the output is gated by silu(g_proj x)
 * @param epsilon of the output norm
 */
public record DeltaNetConfig(
        boolean gated,
        long heads,
        long valueHeads,
        long keyDim,
        long valueDim,
        int taps,
        boolean convolutionBias,
        Activation queryKeyActivation,
        QueryKeyNorm queryKeyNorm,
        boolean beta,
        boolean negativeEigenvalues,
        boolean outputGate,
        double epsilon)
        implements MixerConfig {

    /** How queries and keys are normalised, per head. */
    public enum QueryKeyNorm {
        /** x / √(Σx² + 1e-6). */
        L2,
        /** x / Σx. */
        SUM
    }

    /** Checks the values. */
    public DeltaNetConfig {
        if (heads < 1 || keyDim < 1 || valueDim < 1 || taps < 0) {
            throw new IllegalArgumentException(
                    "DeltaNet needs heads, keyDim, valueDim >= 1 and taps >= 0");
        }
        if (valueHeads < heads || valueHeads % heads != 0) {
            throw new IllegalArgumentException(
                    "valueHeads " + valueHeads + " must be a multiple of heads " + heads);
        }
    }

    /** Returns a builder for DeltaNet. */
    public static Builder deltaNet() {
        return new Builder(false);
    }

    /** Returns a builder for Gated DeltaNet, whose output is gated unless said otherwise. */
    public static Builder gatedDeltaNet() {
        return new Builder(true).optOutputGate(true);
    }

    @Override
    public DeltaNet create(long width, Initialization initialization) {
        return gated
                ? new GatedDeltaNet(width, this, initialization)
                : new DeltaNet(width, this, initialization);
    }

    /** Builds a {@link DeltaNetConfig}; unset options are what the papers use. */
    public static final class Builder {

        private final boolean gated;
        private long heads;
        private long valueHeads;
        private long keyDim;
        private long valueDim;
        private int taps = 4;
        private boolean convolutionBias;
        private Activation queryKeyActivation = Activation.SILU;
        private QueryKeyNorm queryKeyNorm = QueryKeyNorm.L2;
        private boolean beta = true;
        private boolean negativeEigenvalues;
        private boolean outputGate;
        private double epsilon = 1e-6;

        Builder(boolean gated) {
            this.gated = gated;
        }

        /** Sets H; value heads too, unless {@link #optValueHeads} says otherwise. */
        public Builder setHeads(long heads) {
            this.heads = heads;
            return this;
        }

        /** Sets K and V. */
        public Builder setHeadDims(long keyDim, long valueDim) {
            this.keyDim = keyDim;
            this.valueDim = valueDim;
            return this;
        }

        /** Sets HV. */
        public Builder optValueHeads(long valueHeads) {
            this.valueHeads = valueHeads;
            return this;
        }

        /** Sets W of the convolutions, 0 for none, and whether they have biases. */
        public Builder optConvolution(int taps, boolean bias) {
            this.taps = taps;
            this.convolutionBias = bias;
            return this;
        }

        /** Sets what queries and keys go through. */
        public Builder optQueryKeyActivation(Activation activation) {
            this.queryKeyActivation = activation;
            return this;
        }

        /** Sets how queries and keys are normalised. */
        public Builder optQueryKeyNorm(QueryKeyNorm norm) {
            this.queryKeyNorm = norm;
            return this;
        }

        /** Sets whether the writing strength is learned. */
        public Builder optBeta(boolean beta) {
            this.beta = beta;
            return this;
        }

        /** Sets whether beta is doubled. */
        public Builder optNegativeEigenvalues(boolean negativeEigenvalues) {
            this.negativeEigenvalues = negativeEigenvalues;
            return this;
        }

        /** Sets whether the output is gated. */
        public Builder optOutputGate(boolean outputGate) {
            this.outputGate = outputGate;
            return this;
        }

        /** Sets the output norm's epsilon. */
        public Builder optEpsilon(double epsilon) {
            this.epsilon = epsilon;
            return this;
        }

        /**
         * Builds the configuration.
         *
         * @throws IllegalArgumentException if a value is missing or they do not fit together
         */
        public DeltaNetConfig build() {
            return new DeltaNetConfig(
                    gated,
                    heads,
                    valueHeads == 0 ? heads : valueHeads,
                    keyDim,
                    valueDim,
                    taps,
                    convolutionBias,
                    queryKeyActivation,
                    queryKeyNorm,
                    beta,
                    negativeEigenvalues,
                    outputGate,
                    epsilon);
        }
    }
}
