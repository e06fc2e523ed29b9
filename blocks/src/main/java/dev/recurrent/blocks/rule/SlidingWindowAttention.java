package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.Aten;

/**
 * Causal softmax attention within a window and within a document, with any number of key/value
 * heads: o_t = Σ_s softmax_s(scale · q_t·k_s) v_s over the keys s with position_t − W &lt;
 * position_s ≤ position_t in token t's own document (Griffin, arXiv 2402.19427, section 2.3;
 * multi-query attention, arXiv 1911.02150).
 *
 * <p>Sequences longer than the window are cut into blocks of C tokens, each of which attends to
 * itself and to the W tokens before it: time and memory are O(T · W).
 */
public final class SlidingWindowAttention {

    /** Shorter blocks would cost more in calls than they save in arithmetic. */
    private static final long LEAST_BLOCK = 64;

    private SlidingWindowAttention() {}

    /**
     * What was seen before a call, in any order.
     *
     * @param keys [B, KV, L, K]
     * @param values [B, KV, L, V]
     * @param positions of the keys in the document that the rows continue, −1 for a slot that holds
     *     nothing, int64 [B, L]
     */
    public record Past(NDArray keys, NDArray values, NDArray positions) {

        /** Sorts the slots by position, those that hold nothing first. */
        private Past inOrder() {
            NDArray order = positions.argSort(1);
            NDArray slots = order.expandDims(1).expandDims(3); // [B, 1, L, 1]
            return new Past(
                    keys.gather(slots.broadcast(keys.getShape()), 2),
                    values.gather(slots.broadcast(values.getShape()), 2),
                    positions.gather(order, 1));
        }
    }

    /**
     * Attends within a sequence and to what was seen before it.
     *
     * @param q [B, T, H, K]
     * @param k [B, T, KV, K], KV a divisor of H
     * @param v [B, T, KV, V]
     * @param past what was seen before, with at most W slots if W &gt; 0; null for nothing
     * @param positions [B, T]
     * @param window W, how many keys a token sees, itself included; 0 for all
     * @param scale what scores are multiplied by
     * @return [B, T, H, V]
     * @throws IllegalArgumentException if the shapes do not fit one another
     */
    public static NDArray apply(
            NDArray q,
            NDArray k,
            NDArray v,
            Past past,
            Positions positions,
            long window,
            double scale) {
        check(q, k, v, past, positions, window);
        long length = positions.length();
        boolean plain = past == null && positions.isPlain();
        if (plain && (window == 0 || length <= window)) {
            return attend(q, k, v, null, true, scale);
        }
        if (window == 0 || length <= Math.max(window, LEAST_BLOCK)) {
            return whole(q, k, v, past, AttentionMask.whole(positions, past, window), scale);
        }
        return plain
                ? plainBlocks(q, k, v, positions, window, scale)
                : maskedBlocks(q, k, v, past, positions, window, scale);
    }

    /**
     * Attends with one token a row to a cache that holds the token's own key as well.
     *
     * @param q [B, 1, H, K]
     * @param seen the keys, all of them within the token's window
     * @param positions [B, 1]
     * @param scale what scores are multiplied by
     * @return [B, 1, H, V]
     */
    public static NDArray step(NDArray q, Past seen, Positions positions, double scale) {
        Shape shape = q.getShape();
        long batch = shape.get(0);
        long heads = shape.get(2);
        long groups = seen.keys.getShape().get(1);
        // Heads that share keys take the place of time, so that no key is repeated.
        NDArray queries = q.reshape(batch, groups, heads / groups, shape.get(3));
        NDArray mask = AttentionMask.step(positions, seen.positions); // [B, 1, 1, L]
        NDArray o = Aten.attention(queries, seen.keys, seen.values, mask, false, scale);
        return o.reshape(batch, 1, heads, seen.values.getShape().get(3)); // [B, 1, H, V]
    }

    private static NDArray whole(
            NDArray q, NDArray k, NDArray v, Past past, NDArray mask, double scale) {
        if (past == null) {
            return attend(q, k, v, mask, false, scale);
        }
        NDArray keys = TimeAxis.join(past.keys.swapAxes(1, 2), k); // [B, L + T, KV, K]
        NDArray values = TimeAxis.join(past.values.swapAxes(1, 2), v);
        return attend(q, keys, values, mask, false, scale);
    }

    /** The first W tokens see all before them; behind, all blocks have the same mask. */
    private static NDArray plainBlocks(
            NDArray q, NDArray k, NDArray v, Positions positions, long window, double scale) {
        NDArray first =
                attend(
                        TimeAxis.narrow(q, 0, window),
                        TimeAxis.narrow(k, 0, window),
                        TimeAxis.narrow(v, 0, window),
                        null,
                        true,
                        scale); // [B, W, H, V]
        NDArray others =
                blocks(
                        TimeAxis.narrow(q, window, positions.length() - window),
                        k,
                        v,
                        AttentionMask.band(positions, window, block(window)),
                        window,
                        scale); // [B, T - W, H, V]
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
            double scale) {
        Past before = past == null ? null : past.inOrder();
        NDArray keys = k;
        NDArray values = v;
        long empty = window;
        if (before != null) {
            keys = TimeAxis.join(before.keys.swapAxes(1, 2), k); // [B, L + T, KV, K]
            values = TimeAxis.join(before.values.swapAxes(1, 2), v);
            empty = window - before.positions.getShape().get(1);
        }
        NDArray mask = AttentionMask.blocks(positions, before, window, block(window));
        return blocks(
                q,
                TimeAxis.pad(keys, empty, 0),
                TimeAxis.pad(values, empty, 0),
                mask,
                window,
                scale);
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
            NDArray q, NDArray keys, NDArray values, NDArray mask, long window, double scale) {
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
                        scale); // [B·n, C, H, V]
        NDArray joined = o.reshape(shape.get(0), -1, shape.get(2), values.getShape().get(3));
        return missing == 0 ? joined : TimeAxis.narrow(joined, 0, shape.get(1));
    }

    /** C: the fewer, the fewer keys are looked at in vain, but the more often each is. */
    private static long block(long window) {
        return Math.max(LEAST_BLOCK, (window + 3) / 4);
    }

    private static NDArray attend(
            NDArray q, NDArray k, NDArray v, NDArray mask, boolean causal, double scale) {
        long heads = q.getShape().get(2);
        NDArray o =
                Aten.attention(
                        q.swapAxes(1, 2),
                        repeatHeads(k, heads).swapAxes(1, 2),
                        repeatHeads(v, heads).swapAxes(1, 2),
                        mask,
                        causal,
                        scale); // [B, H, T, V]
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

    private static void check(
            NDArray q, NDArray k, NDArray v, Past past, Positions positions, long window) {
        boolean fits =
                is(q, positions.batch(), positions.length(), -1, -1)
                        && is(k, positions.batch(), positions.length(), -1, q.getShape().get(3))
                        && is(v, positions.batch(), positions.length(), k.getShape().get(2), -1)
                        && q.getShape().get(2) % k.getShape().get(2) == 0;
        if (!fits) {
            throw new IllegalArgumentException(
                    String.format(
                            "Attention expects q [%d, %2$d, H, K], k [%1$d, %2$d, KV, K] and v"
                                    + " [%1$d, %2$d, KV, V] with KV a divisor of H, not %s, %s, %s",
                            positions.batch(),
                            positions.length(),
                            q.getShape(),
                            k.getShape(),
                            v.getShape()));
        }
        if (past != null && window > 0 && past.positions.getShape().get(1) > window) {
            throw new IllegalArgumentException(
                    "A window of "
                            + window
                            + " keys was given a past of "
                            + past.positions.getShape().get(1));
        }
    }

    private static boolean is(NDArray array, long... sizes) {
        Shape shape = array.getShape();
        boolean fits = shape.dimension() == sizes.length;
        for (int i = 0; fits && i < sizes.length; i++) {
            fits = sizes[i] == -1 || sizes[i] == shape.get(i);
        }
        return fits;
    }
}
