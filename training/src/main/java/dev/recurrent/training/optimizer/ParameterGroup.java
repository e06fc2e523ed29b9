package dev.recurrent.training.optimizer;

/**
 * How a parameter is updated.
 *
 * @param decayed whether weight decay applies
 * @param multiplier what its learning rate is multiplied by
 */
record ParameterGroup(boolean decayed, float multiplier) {}
