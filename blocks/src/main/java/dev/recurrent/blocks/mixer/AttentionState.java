package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;

/**
 * The keys and values that attention can still see.
 *
 * @param keys after rotation, [B, L, KV, K]
 * @param values [B, L, KV, V]
 * @param positions of each slot in the current document, −1 for an empty slot, int64 [B, L]
 */
public record AttentionState(NDArray keys, NDArray values, NDArray positions)
        implements MixerState {

    @Override
    public NDList arrays() {
        return new NDList(keys, values, positions);
    }

    @Override
    public AttentionState with(NDList arrays) {
        return new AttentionState(arrays.get(0), arrays.get(1), arrays.get(2));
    }
}
