package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;

/**
 * The keys and values that attention can still see, in slots.
 *
 * <p>Slot 0 holds nothing that counts: padding is written there. Behind it, a token at position p
 * has slot 1 + p, or 1 + p mod W with a window of W keys.
 *
 * @param keys after rotation, [B, KV, L, K]
 * @param values [B, KV, L, V]
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
