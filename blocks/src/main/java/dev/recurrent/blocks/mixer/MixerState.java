package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.torch.Torch;

/**
 * What a mixer remembers of the tokens before: a typed value with batch-first tensors.
 *
 * <p>A state that is passed to a mixer is consumed: its tensors are changed in place, handed on in
 * the new state, or closed. Pass {@link #duplicate()} to keep it.
 */
public sealed interface MixerState extends AutoCloseable permits RecurrentState, AttentionState {

    /** Returns the tensors in a fixed order, each [B, …]. */
    NDList arrays();

    /**
     * Returns a state of the same kind with other tensors.
     *
     * @param arrays tensors in the order of {@link #arrays()}
     * @return the state
     */
    MixerState with(NDList arrays);

    /**
     * Returns a state whose row i is this state's row {@code rows[i]}: for beam search, batching
     * and prefixes shared by several continuations.
     *
     * @param rows int64 [B']
     * @return a new state [B', …] in this state's manager
     */
    default MixerState select(NDArray rows) {
        NDList selected = new NDList();
        for (NDArray array : arrays()) {
            selected.add(array.get(rows));
        }
        return with(selected);
    }

    /** Returns a copy that shares nothing with this state. */
    default MixerState duplicate() {
        NDList copies = new NDList();
        arrays().forEach(array -> copies.add(array.duplicate()));
        return with(copies);
    }

    /** Moves all tensors to {@code manager}. */
    default void attach(NDManager manager) {
        arrays().forEach(array -> array.attach(manager));
    }

    /** Returns the size of all tensors in bytes. */
    default long bytes() {
        return arrays().stream()
                .mapToLong(array -> array.size() * Torch.typeOf(array).bytes())
                .sum();
    }

    /** Frees the tensors. Closing twice is harmless. */
    @Override
    default void close() {
        arrays().close();
    }
}
