package dev.recurrent.blocks.nn;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.torch.Aten;
import java.util.SplittableRandom;

/**
 * Dropout in training: of the embeddings, of what each mixer and MLP adds to the residual stream,
 * and of attention weights (as nanoGPT does, with one rate for all). It belongs to a training run,
 * not to a model's configuration.
 *
 * <p>Masks come from the engine's generator, which is seeded before every part of the model; so a
 * part that is run again draws the same masks, and a run is a function of its seed.
 */
public final class Dropout {

    private final double rate;
    private final double attentionRate;
    private SplittableRandom seeds = new SplittableRandom(0);

    /**
     * Constructs dropout.
     *
     * @param rate the share of the residual stream's elements that is set to zero, in [0, 1)
     * @param attentionRate the share of attention weights, likewise
     * @throws IllegalArgumentException if one is out of range
     */
    public Dropout(double rate, double attentionRate) {
        this.rate = checked(rate);
        this.attentionRate = checked(attentionRate);
    }

    /** Constructs dropout of the residual stream alone. */
    public Dropout(double rate) {
        this(rate, 0);
    }

    private static double checked(double rate) {
        if (!(rate >= 0 && rate < 1)) {
            throw new IllegalArgumentException("A dropout rate must be in [0, 1), not " + rate);
        }
        return rate;
    }

    /** Starts the sequence of seeds anew. */
    public void reseed(long seed) {
        seeds = new SplittableRandom(seed);
    }

    /** Returns the seed of the next part of the model. */
    public int nextSeed() {
        return seeds.nextInt();
    }

    /** Makes the masks that follow depend on a seed alone. */
    public static void begin(int seed) {
        Engine.getEngine("PyTorch").setRandomSeed(seed);
    }

    /**
     * Applies dropout of the residual stream.
     *
     * @param x any tensor
     * @return the same shape, in x's manager
     */
    public NDArray apply(NDArray x) {
        return rate == 0 ? x : Aten.dropout(x, rate);
    }

    /** Returns the share of attention weights that is dropped. */
    public double attentionRate() {
        return attentionRate;
    }

    /** Returns whether masks are drawn at all. */
    public boolean isActive() {
        return rate > 0 || attentionRate > 0;
    }
}
