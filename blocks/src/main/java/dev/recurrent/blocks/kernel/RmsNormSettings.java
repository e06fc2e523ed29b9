package dev.recurrent.blocks.kernel;

import dev.recurrent.blocks.torch.ScalarType;

/**
 * How {@link RmsNormOperation} normalises.
 *
 * @param parts how many equal parts of the last dimension have a mean of their own
 * @param centred whether weights are stored minus one
 * @param epsilon ε
 * @param result the type of what is normalised
 */
public record RmsNormSettings(long parts, boolean centred, double epsilon, ScalarType result) {}
