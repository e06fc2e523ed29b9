package dev.recurrent.training;

import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.loss.Loss;
import dev.recurrent.blocks.torch.MatrixPrecision;

/**
 * DJL's training configuration with what language models need besides. All of it is off at first:
 * with a plain {@link DefaultTrainingConfig} a {@link LanguageModelTrainer} trains as DJL's own
 * trainer does.
 */
public class LanguageModelTrainingConfig extends DefaultTrainingConfig {

    private double maxGradientNorm = Double.POSITIVE_INFINITY;
    private int accumulation = 1;
    private MatrixPrecision precision = MatrixPrecision.FULL;
    private boolean recomputing;
    private double dropout;
    private double attentionDropout;
    private long seed;

    /**
     * Constructs a configuration.
     *
     * @param loss what is minimised, such as {@link
     *     dev.recurrent.training.metric.TokenCrossEntropy}
     */
    public LanguageModelTrainingConfig(Loss loss) {
        super(loss);
    }

    /**
     * Clips gradients: all together are scaled down where their Euclidean norm is greater.
     *
     * @param norm the greatest norm
     * @throws IllegalArgumentException if it is not positive
     */
    public LanguageModelTrainingConfig optMaxGradientNorm(double norm) {
        if (!(norm > 0)) {
            throw new IllegalArgumentException("The greatest norm must be > 0, not " + norm);
        }
        maxGradientNorm = norm;
        return this;
    }

    /**
     * Updates parameters once in several batches, by the mean of their gradients.
     *
     * @param batches how many
     * @throws IllegalArgumentException if it is not positive
     */
    public LanguageModelTrainingConfig optAccumulation(int batches) {
        if (batches < 1) {
            throw new IllegalArgumentException("Accumulation needs >= 1 batches, not " + batches);
        }
        accumulation = batches;
        return this;
    }

    /**
     * Sets the type in which projections multiply; with FLOAT16 the loss is scaled. With BFLOAT16
     * predictions are bfloat16 where the loss and all evaluators are {@link
     * dev.recurrent.training.metric.ReadsHalfPrecision}, else float32: a listener that looks at
     * predictions itself casts them by {@link dev.recurrent.blocks.torch.Torch#cast}.
     */
    public LanguageModelTrainingConfig optPrecision(MatrixPrecision type) {
        precision = type;
        return this;
    }

    /**
     * Keeps one [B, T, D] tensor a layer of the forward pass, and runs layers again in the backward
     * pass. Gradients stay the same.
     */
    public LanguageModelTrainingConfig optRecomputation(boolean recompute) {
        recomputing = recompute;
        return this;
    }

    /**
     * Sets the rate of {@link dev.recurrent.blocks.nn.Dropout} on the residual stream.
     *
     * @throws IllegalArgumentException if it is not in [0, 1)
     */
    public LanguageModelTrainingConfig optDropout(double rate) {
        dropout = checkedRate(rate);
        return this;
    }

    /**
     * Sets the rate of {@link dev.recurrent.blocks.nn.Dropout} on attention weights.
     *
     * @throws IllegalArgumentException if it is not in [0, 1)
     */
    public LanguageModelTrainingConfig optAttentionDropout(double rate) {
        attentionDropout = checkedRate(rate);
        return this;
    }

    private static double checkedRate(double rate) {
        if (!(rate >= 0 && rate < 1)) {
            throw new IllegalArgumentException("A dropout rate must be in [0, 1), not " + rate);
        }
        return rate;
    }

    /** Sets what dropout's masks depend on. */
    public LanguageModelTrainingConfig optSeed(long value) {
        seed = value;
        return this;
    }

    /** Returns the greatest norm of the gradients; infinite for no clipping. */
    public double getMaxGradientNorm() {
        return maxGradientNorm;
    }

    /** Returns how many batches make an update. */
    public int getAccumulation() {
        return accumulation;
    }

    /** Returns the type in which projections multiply. */
    public MatrixPrecision getPrecision() {
        return precision;
    }

    /** Returns whether layers are run again in the backward pass. */
    public boolean isRecomputing() {
        return recomputing;
    }

    /** Returns the rate of dropout on the residual stream. */
    public double getDropout() {
        return dropout;
    }

    /** Returns the rate of dropout on attention weights. */
    public double getAttentionDropout() {
        return attentionDropout;
    }

    /** Returns what dropout's masks depend on. */
    public long getSeed() {
        return seed;
    }
}
