package dev.recurrent.blocks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.rule.Positions;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * The logits of a long text, some tokens at a time: a forward pass that needs the memory of one
 * piece. The state goes from piece to piece in the manager of the ids.
 */
final class LogitsStream implements Iterator<NDList> {

    private static final long PIECE = 512;

    private final LanguageModel model;
    private final ParameterStore store;
    private final NDArray ids;
    private final NDArray positions;
    private final boolean training;
    private ModelState state;
    private long next;

    /**
     * Constructs a stream.
     *
     * @param ids int64 [B, T]
     * @param positions int64 [B, T]; null for 0, 1, …
     */
    LogitsStream(
            LanguageModel model,
            ParameterStore store,
            NDArray ids,
            NDArray positions,
            boolean training) {
        this.model = model;
        this.store = store;
        this.ids = ids;
        this.positions = positions;
        this.training = training;
    }

    @Override
    public boolean hasNext() {
        return next < length();
    }

    /**
     * Returns the logits of the next tokens, [B, C, vocabulary] with C = {@value #PIECE} or less.
     */
    @Override
    public NDList next() {
        if (!hasNext()) {
            throw new NoSuchElementException("All " + length() + " tokens have been read");
        }
        long end = Math.min(next + PIECE, length());
        NDManager owner = ids.getManager();
        try (NDManager pass = owner.newSubManager()) {
            NDArray piece = slice(ids, end, pass); // [B, C]
            Positions places =
                    positions == null
                            ? Positions.range(pass, ids.getShape().get(0), end - next, next)
                            : Positions.of(slice(positions, end, pass));
            LanguageModel.Output output = model.forward(store, piece, places, state, training);
            next = end;
            state = output.state();
            state.attach(owner);
            output.values().attach(owner);
            if (!hasNext()) {
                state.close();
            }
            return new NDList(output.values());
        }
    }

    private NDArray slice(NDArray array, long end, NDManager pass) {
        NDArray slice = array.get(new NDIndex().addAllDim().addSliceDim(next, end));
        slice.attach(pass);
        return slice;
    }

    private long length() {
        return ids.getShape().get(1);
    }
}
