package dev.recurrent.blocks.rule;

/**
 * How scores become weights.
 *
 * @param scale what scores are multiplied by
 * @param dropout the share of weights that is set to zero, the others being divided by what
 *     remains, in [0, 1)
 */
record Softmax(double scale, double dropout) {}
