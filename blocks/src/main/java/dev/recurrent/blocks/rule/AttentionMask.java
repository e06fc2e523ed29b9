package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.rule.SlidingWindowAttention.Past;
import dev.recurrent.blocks.torch.Scalars;

/**
 * Which keys a token sees, as bool tensors. Every token sees at least itself, padding included, so
 * that no softmax is empty.
 *
 * <p>Tokens are compared by one number each, document · {@link #DOCUMENT} + position: numbers of
 * different documents differ by more than any window. What depends on positions alone is computed
 * once a pass.
 */
final class AttentionMask {

    private static final long DOCUMENT = 1L << 40;

    /** The window that has no end; as large as positions may grow. */
    private static final long UNBOUNDED = DOCUMENT / 2;

    /** What padding is lifted by, above all documents, where only padding sees it. */
    private static final long PADDING = 1L << 61;

    /** Where a slot of the past lies that holds nothing: below all windows. */
    private static final long EMPTY = -(1L << 62);

    private AttentionMask() {}

    private record Codes() {}

    private record Whole(long window) {}

    private record Band(long window, long block) {}

    private record Blocks(long window, long block) {}

    private record Least() {}

    /** The mask of a sequence and what was seen before it (or null): [B, 1, T, L + T]. */
    static NDArray whole(Positions positions, Past past, long window) {
        NDArray codes = codes(positions);
        if (past == null) {
            return positions.derive(
                    new Whole(window), () -> visible(codes, codes, window).expandDims(1));
        }
        return visible(codes, TimeAxis.join(codes(past), codes), window).expandDims(1);
    }

    /**
     * The mask of a block of C queries and the W + C keys up to its end, where there is neither
     * padding nor a reset: [1, 1, C, W + C].
     */
    static NDArray band(Positions positions, long window, long block) {
        NDManager manager = positions.manager();
        int start = Math.toIntExact(window);
        int end = Math.toIntExact(window + block);
        return positions.derive(
                new Band(window, block),
                () -> {
                    NDArray keys = manager.arange(0, end, 1, DataType.INT64).expandDims(0);
                    NDArray queries = manager.arange(start, end, 1, DataType.INT64).expandDims(0);
                    return visible(queries, keys, window).expandDims(1);
                });
    }

    /**
     * The masks of all blocks, where W slots of the past (or of nothing), in order, stand before
     * the first: [B·n, 1, C, W + C], the last block filled up with padding.
     */
    static NDArray blocks(Positions positions, Past past, long window, long block) {
        if (past == null) {
            return positions.derive(
                    new Blocks(window, block),
                    () -> {
                        NDArray nothing = full(codes(positions), window, EMPTY);
                        return blocks(positions, nothing, window, block);
                    });
        }
        NDArray held = codes(past); // [B, L]
        long empty = window - held.getShape().get(1);
        NDArray front = empty == 0 ? held : TimeAxis.join(full(held, empty, EMPTY), held);
        return blocks(positions, front, window, block);
    }

    private static NDArray blocks(Positions positions, NDArray front, long window, long block) {
        NDArray codes = codes(positions); // [B, T]
        long missing = TimeAxis.missing(positions.length(), block);
        NDArray queries =
                missing == 0 ? codes : TimeAxis.join(codes, full(codes, missing, PADDING));
        NDArray keys = TimeAxis.windows(TimeAxis.join(front, queries), window + block, block);
        return visible(TimeAxis.blocks(queries, block), keys, window).expandDims(1);
    }

    /**
     * The mask of one token a row and the slots of a cache that holds it, all that hold something
     * (for padding: all): [B, 1, 1, L].
     */
    static NDArray step(Positions positions, NDArray held) {
        NDArray least =
                positions.derive(new Least(), () -> positions.array().minimum(Scalars.ofLong(0)));
        Shape shape = held.getShape();
        return held.gte(least).reshape(shape.get(0), 1, 1, shape.get(1));
    }

    private static NDArray full(NDArray codes, long length, long value) {
        NDManager manager = codes.getManager();
        return manager.create(new long[] {value})
                .reshape(1, 1)
                .broadcast(codes.getShape().get(0), length); // [B, length]
    }

    /** Whether a query sees a key: [B, T] and [B, S] → [B, T, S]. */
    private static NDArray visible(NDArray queries, NDArray keys, long window) {
        NDArray query = queries.expandDims(2);
        NDArray key = keys.expandDims(1);
        NDArray unseen = query.sub(window == 0 ? UNBOUNDED : window);
        return key.lte(query).logicalAnd(key.gt(unseen));
    }

    /** One number for each token: [B, T]. */
    private static NDArray codes(Positions positions) {
        return positions.derive(
                new Codes(),
                () -> {
                    NDArray position = positions.array();
                    NDArray codes = position.add(positions.documents().mul(DOCUMENT));
                    return positions.isPadded()
                            ? codes.add(isNegative(position).mul(PADDING))
                            : codes;
                });
    }

    /** One number for each slot, in the document that the rows continue: [B, L]. */
    private static NDArray codes(Past past) {
        return past.positions().add(isNegative(past.positions()).mul(EMPTY));
    }

    private static NDArray isNegative(NDArray x) {
        return x.lt(0L).toType(DataType.INT64, false);
    }
}
