package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;

/**
 * The state of a recurrent mixer: its size does not depend on the number of tokens seen.
 *
 * @param convolution the last inputs of the short convolution, [B, W−1, channels]; null for a mixer
 *     without one
 * @param memory what the recurrence carries, float32: [B, H, K, V] for delta rule and state-space
 *     duality, [B, E] for RG-LRU
 */
public record RecurrentState(NDArray convolution, NDArray memory) implements MixerState {

    @Override
    public NDList arrays() {
        return convolution == null ? new NDList(memory) : new NDList(convolution, memory);
    }

    @Override
    public RecurrentState with(NDList arrays) {
        return convolution == null
                ? new RecurrentState(null, arrays.get(0))
                : new RecurrentState(arrays.get(0), arrays.get(1));
    }
}
