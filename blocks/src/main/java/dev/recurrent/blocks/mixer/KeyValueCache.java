package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.AttentionStepKernel;
import dev.recurrent.blocks.kernel.CachedRotationKernel;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.RotaryEmbedding;
import dev.recurrent.blocks.rule.SlidingWindowAttention.Past;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;

/**
 * How an {@link AttentionState} is written and read.
 *
 * <p>With a window there is a slot for each position modulo W, from the first token on. Without,
 * there are more slots than positions, and their number grows by a quarter at a time.
 *
 * @param window W; 0 for all
 */
record KeyValueCache(long window) {

    private static final long LEAST_CAPACITY = 256;

    /** The slots that new tokens are written to, and the positions that these get. */
    private record Slots(long window) {}

    private record Stored(long window) {}

    private record Restarts() {}

    /**
     * What one token a row makes of a cache.
     *
     * @param q its queries after rotation, [B, 1, H, K]
     * @param state with its keys and values
     */
    record Step(NDArray q, AttentionState state) {}

    /** Returns how many slots there are after a number of tokens, slot 0 included. */
    long slots(long tokens) {
        return 1 + (window > 0 ? window : capacity(tokens));
    }

    /** Returns how many positions a state has room for. */
    long capacity(AttentionState state) {
        return window > 0 ? Long.MAX_VALUE : state.positions().getShape().get(1) - 1;
    }

    /** A multiple of a quarter of a power of two, so that it depends on the last token alone. */
    private static long capacity(long tokens) {
        long step = Math.max(LEAST_CAPACITY, Long.highestOneBit(tokens) / 4);
        long steps = (tokens + step - 1) / step;
        return Math.max(1, steps) * step;
    }

    /**
     * Rotates queries and keys of one token a row, and writes it.
     *
     * @param state what is held; null for nothing
     * @param q queries, [B, 1, H, K]
     * @param k keys, [B, 1, KV, K]
     * @param v values, [B, 1, KV, V]
     * @param positions [B, 1]
     * @param config how they are rotated
     * @param training whether gradients are wanted; if not, state is changed in place
     * @return the rotated queries, and the state as {@link #write} returns it
     */
    Step step(
            AttentionState state,
            NDArray q,
            NDArray k,
            NDArray v,
            Positions positions,
            AttentionConfig config,
            boolean training) {
        long rotaryDim = config.rotaryDim();
        double theta = config.rotaryTheta();
        Optional<CudaDevice> device = Kernels.on(q.getDevice());
        if (device.isPresent()
                && !training
                && !GradientMode.records(q, k, v)
                && CachedRotationKernel.fits(q, k, v)) {
            AttentionState room = makeRoom(state, k, v, positions);
            if (AttentionStepKernel.fits(room.keys(), room.values(), room.positions())) {
                NDArray turned =
                        CachedRotationKernel.apply(
                                device.get(),
                                q,
                                k,
                                v,
                                positions.array(),
                                rotaryDim,
                                theta,
                                new CachedRotationKernel.Cache(
                                        room.keys(), room.values(), room.positions(), window));
                return new Step(turned, room);
            }
        }
        return new Step(
                RotaryEmbedding.apply(q, positions, rotaryDim, theta),
                write(
                        state,
                        RotaryEmbedding.apply(k, positions, rotaryDim, theta),
                        v,
                        positions,
                        training));
    }

    /**
     * Writes tokens.
     *
     * @param state what is held; null for nothing
     * @param k keys after rotation, [B, T, KV, K]
     * @param v values, [B, T, KV, V]
     * @param positions [B, T]
     * @param training whether gradients are wanted; if not, state is changed in place
     * @return the state with the last W tokens of each row's last document
     */
    AttentionState write(
            AttentionState state, NDArray k, NDArray v, Positions positions, boolean training) {
        AttentionState room = makeRoom(state, k, v, positions);
        boolean inPlace =
                !training && !k.hasGradient() && !v.hasGradient() && !room.keys().hasGradient();
        AttentionState held = state == null ? room : restart(room, positions);
        NDArray slots = slots(positions);
        NDArray stored = positions.derive(new Stored(window), () -> stored(positions));
        return new AttentionState(
                scatter(held.keys(), slots, k, inPlace),
                scatter(held.values(), slots, v, inPlace),
                scatter(held.positions(), 1, slots, stored, inPlace));
    }

    /** Returns the slots that can hold something, for queries of positions that are not held. */
    static Past past(AttentionState state) {
        long slots = state.positions().getShape().get(1) - 1;
        return new Past(
                Aten.narrow(state.keys(), 2, 1, slots),
                Aten.narrow(state.values(), 2, 1, slots),
                Aten.narrow(state.positions(), 1, 1, slots));
    }

    /** Makes room for the greatest position. */
    private AttentionState makeRoom(
            AttentionState state, NDArray k, NDArray v, Positions positions) {
        long slots = slots(positions.last() + 1);
        if (state == null) {
            return empty(k, v, slots);
        }
        long missing = slots - state.positions().getShape().get(1);
        if (missing <= 0) {
            return state;
        }
        AttentionState more = empty(k, v, missing);
        return new AttentionState(
                join(state.keys(), more.keys(), 2),
                join(state.values(), more.values(), 2),
                join(state.positions(), more.positions(), 1));
    }

    /** Empties rows that a document starts in. */
    private static AttentionState restart(AttentionState state, Positions positions) {
        return positions.hasResets()
                ? new AttentionState(
                        state.keys(), state.values(), restart(state.positions(), positions))
                : state;
    }

    private static AttentionState empty(NDArray k, NDArray v, long slots) {
        NDManager manager = k.getManager();
        Shape positions = new Shape(k.getShape().get(0), slots);
        return new AttentionState(
                emptyLike(k, slots),
                emptyLike(v, slots),
                Aten.zeros(manager, positions, ScalarType.INT64, k.getDevice())
                        .sub(Scalars.ofLong(1)));
    }

    private static NDArray emptyLike(NDArray x, long slots) {
        Shape shape = x.getShape();
        return Aten.zeros(
                x.getManager(),
                new Shape(shape.get(0), shape.get(2), slots, shape.get(3)),
                Torch.typeOf(x),
                x.getDevice());
    }

    /** Marks all slots empty in rows that a document starts in. */
    private static NDArray restart(NDArray held, Positions positions) {
        NDArray restarts =
                positions.derive(
                        new Restarts(),
                        () -> positions.documents().max(new int[] {1}, true).gt(0L)); // [B, 1]
        NDArray kept = restarts.logicalNot().toType(DataType.INT64, false);
        NDArray one = Scalars.ofLong(1);
        return held.add(one).mul(kept).sub(one); // [B, L]
    }

    /** Returns the slot of each token, 0 for one that is not kept: int64 [B, T]. */
    private NDArray slots(Positions positions) {
        return positions.derive(
                new Slots(window),
                () -> {
                    NDArray position = positions.array();
                    NDArray place = window > 0 ? position.mod(Scalars.ofLong(window)) : position;
                    NDArray slots = place.add(Scalars.ofLong(1));
                    return keepsAll(positions) ? slots : slots.mul(kept(positions));
                });
    }

    /** Returns the position of each token, −1 for one that is not kept: int64 [B, T]. */
    private NDArray stored(Positions positions) {
        NDArray position = positions.array();
        return keepsAll(positions) ? position : position.add(1L).mul(kept(positions)).sub(1L);
    }

    private boolean keepsAll(Positions positions) {
        return positions.isPlain() && (window == 0 || positions.length() <= window);
    }

    /** Returns 1 for the last W tokens of each row's last document, else 0: int64 [B, T]. */
    private NDArray kept(Positions positions) {
        NDArray position = positions.array();
        NDArray documents = positions.documents();
        NDArray isLast = documents.eq(documents.max(new int[] {1}, true));
        NDArray kept = isLast.logicalAnd(position.gte(0L));
        if (window > 0) {
            NDArray inLast = position.add(1L).mul(isLast.toType(DataType.INT64, false)).sub(1L);
            NDArray oldest = inLast.max(new int[] {1}, true).sub(window); // [B, 1]
            kept = kept.logicalAnd(position.gt(oldest));
        }
        return kept.toType(DataType.INT64, false);
    }

    /** Writes x [B, T, KV, K] to slots [B, T] of cache [B, KV, L, K]. */
    private static NDArray scatter(NDArray cache, NDArray slots, NDArray x, boolean inPlace) {
        NDArray tokens = x.swapAxes(1, 2); // [B, KV, T, K]
        Shape shape = tokens.getShape();
        NDArray index = slots.reshape(shape.get(0), 1, shape.get(2), 1).broadcast(shape);
        return scatter(cache, 2, index, tokens, inPlace);
    }

    private static NDArray scatter(
            NDArray cache, int axis, NDArray index, NDArray x, boolean inPlace) {
        NDManager manager = x.getManager();
        if (!inPlace) {
            return Torch.call(manager, "aten::scatter.src", cache, axis, index, x);
        }
        Torch.call(manager, "aten::scatter_.src", cache, axis, index, x).close();
        return cache;
    }

    private static NDArray join(NDArray first, NDArray second, int axis) {
        return NDArrays.concat(new NDList(first, second), axis);
    }
}
