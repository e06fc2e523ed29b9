package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.recurrent.blocks.rule.SlidingWindowAttention.Past;

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
     * The mask of a block of C queries and the 2C keys of the block before and its own, where there
     * is neither padding nor a reset: [1, 1, C, 2C].
     */
    static NDArray band(Positions positions, long window, long block) {
        NDManager manager = positions.manager();
        int length = Math.toIntExact(block);
        return positions.derive(
                new Band(window, block),
                () -> {
                    NDArray keys = manager.arange(0, 2 * length, 1, DataType.INT64);
                    NDArray queries = manager.arange(length, 2 * length, 1, DataType.INT64);
                    return visible(queries.expandDims(0), keys.expandDims(0), window).expandDims(1);
                });
    }

    /**
     * The masks of all blocks, where the first follows a block of the past (or nothing): [B·n, 1,
     * C, 2C], the last block filled up with padding.
     */
    static NDArray blocks(Positions positions, Past past, long window, long block) {
        if (past == null) {
            return positions.derive(
                    new Blocks(window, block),
                    () -> blocks(positions, before(codes(positions), block), window, block));
        }
        NDArray held = codes(past); // [B, L]
        long empty = block - held.getShape().get(1);
        NDArray front = empty == 0 ? held : TimeAxis.join(before(held, empty), held);
        return blocks(positions, front, window, block);
    }

    private static NDArray blocks(Positions positions, NDArray front, long window, long block) {
        NDArray codes = codes(positions); // [B, T]
        long missing = TimeAxis.missing(positions.length(), block);
        NDArray queries =
                missing == 0 ? codes : TimeAxis.join(codes, full(codes, missing, PADDING));
        NDArray keys = TimeAxis.pairs(TimeAxis.join(front, queries), block); // [B·n, 2C]
        return visible(TimeAxis.blocks(queries, block), keys, window).expandDims(1);
    }

    private static NDArray before(NDArray codes, long length) {
        return full(codes, length, EMPTY);
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
