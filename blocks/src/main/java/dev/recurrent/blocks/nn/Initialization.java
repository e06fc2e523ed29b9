package dev.recurrent.blocks.nn;

import ai.djl.training.initializer.Initializer;
import ai.djl.training.initializer.NormalInitializer;
import ai.djl.training.initializer.UniformInitializer;

/**
 * How a model's weights start. Norms start at one (or zero where they are stored minus one), biases
 * at zero; the constants of decays have their own rules, which no upstream varies.
 *
 * @param kind which upstream's rule
 * @param sigma standard deviation, of everything (NORMAL, GPT2) or of the embedding (MAMBA)
 * @param layers depth of the model (GPT2, FAN_IN, MAMBA)
 */
public record Initialization(Kind kind, double sigma, int layers) {

    /** The rules. */
    public enum Kind {
        /** The same normal distribution everywhere. */
        NORMAL,
        /** The same normal distribution everywhere but in outputs, which depth scales down. */
        GPT2,
        /** Normal distributions scaled by fan-in. */
        FAN_IN,
        /** Uniform distributions scaled by fan-in. */
        MAMBA
    }

    /**
     * The same normal distribution everywhere, as flash-linear-attention does, and transformers for
     * Qwen3.5 and OLMo-Hybrid.
     *
     * @param sigma its standard deviation ({@code initializer_range})
     * @return the initialisation
     */
    public static Initialization normal(double sigma) {
        return new Initialization(Kind.NORMAL, sigma, 0);
    }

    /**
     * The same normal distribution everywhere, outputs divided by √(2·layers), as GPT-2 and nanoGPT
     * do: a layer adds twice to the residual stream.
     *
     * @param sigma its standard deviation
     * @param layers the depth of the model
     * @return the initialisation
     */
    public static Initialization gpt2(double sigma, int layers) {
        return new Initialization(Kind.GPT2, sigma, layers);
    }

    /**
     * Variance scaled by fan-in, as google-deepmind/recurrentgemma does: √(1/fanIn), outputs
     * √(2/(layers·fanIn)), embedding √(1/D), convolution √(.01/W).
     *
     * @param layers the depth of the model
     * @return the initialisation
     */
    public static Initialization fanIn(int layers) {
        return new Initialization(Kind.FAN_IN, 0, layers);
    }

    /**
     * Uniform within ±1/√fanIn, outputs divided by √layers, embedding normal, as state-spaces/mamba
     * does.
     *
     * @param sigma standard deviation of the embedding
     * @param layers the depth of the model
     * @return the initialisation
     */
    public static Initialization mamba(double sigma, int layers) {
        return new Initialization(Kind.MAMBA, sigma, layers);
    }

    /** Weights of a projection into a block, with {@code fanIn} inputs. */
    public Initializer projection(long fanIn) {
        return switch (kind) {
            case NORMAL, GPT2 -> gaussian(sigma);
            case FAN_IN -> gaussian(Math.sqrt(1.0 / fanIn));
            case MAMBA -> uniform(Math.sqrt(1.0 / fanIn));
        };
    }

    /** Weights of the projection that ends a block and is added to the residual stream. */
    public Initializer output(long fanIn) {
        return switch (kind) {
            case NORMAL -> gaussian(sigma);
            case GPT2 -> gaussian(sigma / Math.sqrt(2.0 * layers));
            case FAN_IN -> gaussian(Math.sqrt(2.0 / layers / fanIn));
            case MAMBA -> uniform(Math.sqrt(1.0 / fanIn / layers));
        };
    }

    /** The embedding table of a model of width D. */
    public Initializer embedding(long width) {
        return kind == Kind.FAN_IN ? gaussian(Math.sqrt(1.0 / width)) : gaussian(sigma);
    }

    /** Weights of a depthwise convolution with W taps. */
    public Initializer convolution(long taps) {
        return switch (kind) {
            case NORMAL, GPT2 -> gaussian(sigma);
            case FAN_IN -> gaussian(Math.sqrt(0.01 / taps));
            case MAMBA -> uniform(Math.sqrt(1.0 / taps));
        };
    }

    private static Initializer gaussian(double sigma) {
        return new NormalInitializer((float) sigma);
    }

    private static Initializer uniform(double bound) {
        return new UniformInitializer((float) bound);
    }
}
