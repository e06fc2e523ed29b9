package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.Aten;

/**
 * The part of {@link DeltaChunks} that goes from chunk to chunk: what enters, is written in, and
 * leaves. A state is [1, B·HV, K, V] here, or null where it is known to be zero.
 */
final class DeltaStates {

    private final DeltaSizes sizes;
    private final int chunks;
    private final long rows;
    private final NDList before = new NDList();
    private NDArray state;
    private NDArray written;

    DeltaStates(DeltaSizes sizes, long chunks, NDArray state) {
        this.sizes = sizes;
        this.chunks = Math.toIntExact(chunks);
        rows = sizes.batch() * sizes.heads() * sizes.group();
        this.state = state == null ? null : state.reshape(stateShape());
    }

    private Shape stateShape() {
        return new Shape(1, rows, sizes.keyDim(), sizes.valueDim());
    }

    /**
     * Goes through the chunks without correction: each adds what it adds.
     *
     * @param values N, [M, G, C, V]
     * @param added (r·K)ᵀN, [M, G, K, V]
     * @param across e_C, [M, G, 1, 1]; null for one
     */
    void accumulate(NDArray values, NDArray added, NDArray across) {
        NDList contributions = perChunk(added);
        NDList kept = perChunk(across);
        for (int i = 0; i < chunks; i++) {
            advance(contributions.get(i), kept, i);
        }
        written = values;
    }

    /**
     * Goes through the chunks with correction: each reads before it adds.
     *
     * @param reads W, [M, G, C, K]
     * @param writes U, [M, G, C, V]
     * @param toEnd (r·K)ᵀ, [M, 1 or G, K, C]
     * @param across e_C, [M, G, 1, 1]; null for one
     */
    void correct(NDArray reads, NDArray writes, NDArray toEnd, NDArray across) {
        NDList w = perChunk(reads);
        NDList u = perChunk(writes);
        NDList keys = perChunk(toEnd);
        NDList kept = perChunk(across);
        NDList news = new NDList(chunks);
        for (int i = 0; i < chunks; i++) {
            NDArray n = u.get(i);
            if (state != null) {
                n = n.sub(w.get(i).matMul(state)); // [1, B·HV, C, V]
            }
            news.add(n);
            advance(keys.get(i).matMul(n), kept, i);
        }
        Shape shape = writes.getShape();
        written = Aten.concat(news, 0).reshape(shape);
    }

    private void advance(NDArray added, NDList kept, int i) {
        before.add(state);
        if (state == null) {
            state = added;
        } else if (kept == null) {
            state = state.add(added);
        } else {
            state = state.mul(kept.get(i)).addi(added);
        }
    }

    /** Splits [M, 1 or G, a, b] into a list of [1, B·HV, a, b]. */
    private NDList perChunk(NDArray array) {
        if (array == null) {
            return null;
        }
        Shape shape = array.getShape();
        long m = shape.get(0);
        NDArray all = array;
        if (shape.get(1) != sizes.group()) {
            all = array.broadcast(m, sizes.group(), shape.get(2), shape.get(3));
        }
        return all.reshape(chunks, rows, shape.get(2), shape.get(3)).split(chunks, 0);
    }

    /** Returns N, what chunks write under their keys, [M, G, C, V]. */
    NDArray written() {
        return written;
    }

    /** Returns the states that enter the chunks, [M, G, K, V]; null if all are zero. */
    NDArray entering() {
        if (before.get(0) == null) {
            if (chunks == 1) {
                return null;
            }
            before.set(0, written.getManager().zeros(stateShape()));
        }
        return Aten.concat(before, 0).reshape(-1, sizes.group(), sizes.keyDim(), sizes.valueDim());
    }

    /** Returns the state after the last chunk, [B, HV, K, V]. */
    NDArray leaving() {
        return state.reshape(
                sizes.batch(), sizes.heads() * sizes.group(), sizes.keyDim(), sizes.valueDim());
    }
}
