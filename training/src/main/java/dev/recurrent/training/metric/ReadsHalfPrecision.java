package dev.recurrent.training.metric;

/**
 * A loss or an evaluator that takes logits in bfloat16 as training in {@link
 * dev.recurrent.blocks.torch.MatrixPrecision#BFLOAT16} makes them. DJL cannot read that type, so
 * others are given float32.
 */
public interface ReadsHalfPrecision {}
