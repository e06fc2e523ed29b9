package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.rule.SlidingWindowAttention.Past;
import dev.recurrent.blocks.torch.Aten;

/**
 * Attention in tensor operators, on any device and in any type. Sequences longer than the window
 * are cut into blocks of C tokens, each of which attends to itself and to the W tokens before it:
 * time and memory are O(T · W).
 */
final class BlockwiseAttention {

    /** Shorter blocks would cost more in calls than they save in arithmetic. */
    private static final long LEAST_BLOCK = 64;

    private BlockwiseAttention() {}

    /** As {@link SlidingWindowAttention#apply}. */
    static NDArray apply(
            NDArray q,
            NDArray k,
            NDArray v,
            Past past,
            Positions positions,
            long window,
            Softmax softmax) {
        long length = positions.length();
        boolean plain = positions.isCausal(past != null);
        if (plain && (window == 0 || length <= window)) {
            return attend(q, k, v, null, true, softmax);
        }
        if (window == 0 || length <= Math.max(window, LEAST_BLOCK)) {
            return whole(q, k, v, past, AttentionMask.whole(positions, past, window), softmax);
        }
        return plain
                ? plainBlocks(q, k, v, positions, window, softmax)
                : maskedBlocks(q, k, v, past, positions, window, softmax);
    }

    private static NDArray whole(
            NDArray q, NDArray k, NDArray v, Past past, NDArray mask, Softmax softmax) {
        if (past == null) {
            return attend(q, k, v, mask, false, softmax);
        }
        NDArray keys = TimeAxis.join(past.keys().swapAxes(1, 2), k); // [B, L + T, KV, K]
        NDArray values = TimeAxis.join(past.values().swapAxes(1, 2), v);
        return attend(q, keys, values, mask, false, softmax);
    }

    /** The first W tokens see all before them; behind, all blocks have the same mask. */
    private static NDArray plainBlocks(
            NDArray q, NDArray k, NDArray v, Positions positions, long window, Softmax softmax) {
        NDArray first =
                attend(
                        TimeAxis.narrow(q, 0, window),
                        TimeAxis.narrow(k, 0, window),
                        TimeAxis.narrow(v, 0, window),
                        null,
                        true,
                        softmax); // [B, W, H, V]
        NDArray others =
                blocks(
                        TimeAxis.narrow(q, window, positions.length() - window),
                        k,
                        v,
                        AttentionMask.band(positions, window, block(window)),
                        window,
                        softmax); // [B, T - W, H, V]
        return TimeAxis.join(first, others);
    }

    /** W slots of what was seen before, or of nothing, stand before the first block. */
    private static NDArray maskedBlocks(
            NDArray q,
            NDArray k,
            NDArray v,
            Past past,
            Positions positions,
            long window,
            Softmax softmax) {
        Past before = past == null ? null : past.inOrder();
        NDArray keys = k;
        NDArray values = v;
        long empty = window;
        if (before != null) {
            keys = TimeAxis.join(before.keys().swapAxes(1, 2), k); // [B, L + T, KV, K]
            values = TimeAxis.join(before.values().swapAxes(1, 2), v);
            empty = window - before.positions().getShape().get(1);
        }
        NDArray mask = AttentionMask.blocks(positions, before, window, block(window));
        return blocks(
                q,
                TimeAxis.pad(keys, empty, 0),
                TimeAxis.pad(values, empty, 0),
                mask,
                window,
                softmax);
    }

    /**
     * Attends blockwise, C queries at a time to the W + C keys up to the last of them.
     *
     * @param q [B, T, H, K]
     * @param keys [B, W + T, KV, K]
     * @param values [B, W + T, KV, V]
     * @param mask broadcasts to [B·n, H, C, W + C]
     * @param window W
     * @return [B, T, H, V]
     */
    private static NDArray blocks(
            NDArray q, NDArray keys, NDArray values, NDArray mask, long window, Softmax softmax) {
        long block = block(window);
        Shape shape = q.getShape();
        long missing = TimeAxis.missing(shape.get(1), block);
        NDArray o =
                attend(
                        TimeAxis.blocks(TimeAxis.pad(q, 0, missing), block),
                        TimeAxis.windows(TimeAxis.pad(keys, 0, missing), window + block, block),
                        TimeAxis.windows(TimeAxis.pad(values, 0, missing), window + block, block),
                        mask,
                        false,
                        softmax); // [B·n, C, H, V]
        NDArray joined = o.reshape(shape.get(0), -1, shape.get(2), values.getShape().get(3));
        return missing == 0 ? joined : TimeAxis.narrow(joined, 0, shape.get(1));
    }

    /** C: the fewer, the fewer keys are looked at in vain, but the more often each is. */
    private static long block(long window) {
        return Math.max(LEAST_BLOCK, (window + 3) / 4);
    }

    /**
     * Attends, heads repeated where they share keys.
     *
     * @param q [B, T, H, K]
     * @param k [B, S, KV, K]
     * @param v [B, S, KV, V]
     * @param mask as {@link Aten#attention}
     * @param causal likewise
     * @return [B, T, H, V]
     */
    static NDArray attend(
            NDArray q, NDArray k, NDArray v, NDArray mask, boolean causal, Softmax softmax) {
        long heads = q.getShape().get(2);
        NDArray o =
                Aten.attention(
                        q.swapAxes(1, 2),
                        repeatHeads(k, heads).swapAxes(1, 2),
                        repeatHeads(v, heads).swapAxes(1, 2),
                        mask,
                        causal,
                        softmax.scale(),
                        softmax.dropout()); // [B, H, T, V]
        return o.swapAxes(1, 2); // [B, T, H, V]
    }

    /** Gives every head its keys, [B, S, KV, K] → [B, S, H, K]; a view where KV is 1 or H. */
    private static NDArray repeatHeads(NDArray x, long heads) {
        Shape shape = x.getShape();
        long groups = shape.get(2);
        if (groups == heads) {
            return x;
        }
        Shape repeated =
                new Shape(shape.get(0), shape.get(1), groups, heads / groups, shape.get(3));
        return x.expandDims(3)
                .broadcast(repeated)
                .reshape(shape.get(0), shape.get(1), heads, shape.get(3));
    }
}
