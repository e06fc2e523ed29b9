/**
 * Backward passes that PyTorch's autograd does not run by itself: the tape of cuts in its graph,
 * and recomputation of activations.
 */
package dev.recurrent.blocks.autograd;
