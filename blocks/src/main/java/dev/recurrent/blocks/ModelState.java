package dev.recurrent.blocks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.mixer.MixerState;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * What a model remembers of the tokens before: one state a layer.
 *
 * <p>A state passed to a model is consumed (see {@link MixerState}).
 *
 * @param layers the layers' states, from the embedding to the head
 */
public record ModelState(List<MixerState> layers) implements AutoCloseable {

    /** Copies the list. */
    public ModelState {
        layers = List.copyOf(layers);
    }

    /** Returns a state whose row i is row {@code rows[i]} of this one; rows is int64 [B']. */
    public ModelState select(NDArray rows) {
        return map(state -> state.select(rows));
    }

    /** Returns a copy that shares nothing with this state. */
    public ModelState duplicate() {
        return map(MixerState::duplicate);
    }

    /** Moves all tensors to {@code manager}. */
    public void attach(NDManager manager) {
        layers.forEach(state -> state.attach(manager));
    }

    /** Returns the size of all tensors in bytes. */
    public long bytes() {
        return layers.stream().mapToLong(MixerState::bytes).sum();
    }

    /** Frees the tensors. Closing twice is harmless. */
    @Override
    public void close() {
        layers.forEach(MixerState::close);
    }

    private ModelState map(UnaryOperator<MixerState> function) {
        return new ModelState(layers.stream().map(function).toList());
    }
}
