package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;

/**
 * Causal softmax attention within a window and within a document, with any number of key/value
 * heads: o_t = Σ_s softmax_s(scale · q_t·k_s) v_s over the keys s with position_t − W &lt;
 * position_s ≤ position_t in token t's own document (Griffin, arXiv 2402.19427, section 2.3;
 * multi-query attention, arXiv 1911.02150).
 *
 * <p>Sequences longer than the window are cut into blocks of C ≥ W tokens, each of which attends to
 * itself and to the block before it: time and memory are O(T · W).
 */
public final class SlidingWindowAttention {

    /** Shorter blocks would cost more in calls than they save in arithmetic. */
    private static final long LEAST_BLOCK = 64;

    /** The score of a key that must not be seen; finite, so that no softmax is empty. */
    private static final double UNSEEN = -1e30;

    private SlidingWindowAttention() {}

    /**
     * What was seen before a call, in any order.
     *
     * @param keys [B, KV, L, K]
     * @param values [B, KV, L, V]
     * @param positions of the keys in the document that the rows continue, −1 for a slot that holds
     *     nothing, int64 [B, L]
     */
    public record Past(NDArray keys, NDArray values, NDArray positions) {}

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
     * @param scale what scores are multiplied by
     * @return [B, 1, H, V]
     */
    public static NDArray step(NDArray q, Past seen, double scale) {
        Shape shape = q.getShape();
        Shape keys = seen.keys.getShape();
        long batch = shape.get(0);
        long heads = shape.get(2);
        long groups = keys.get(1);
        // Heads that share keys take the place of time, so that no key is repeated.
        NDArray queries =
                q.mul(Scalars.of(scale)).reshape(batch, groups, heads / groups, shape.get(3));
        NDArray scores = queries.matMul(seen.keys.swapAxes(2, 3)); // [B, KV, H/KV, L]
        NDArray held = seen.positions.gte(Scalars.of(0)).reshape(batch, 1, 1, keys.get(2));
        NDArray masked =
                Torch.call(
                        q.getManager(),
                        "aten::where.self",
                        held,
                        Torch.cast(scores, ScalarType.FLOAT32),
                        Scalars.of(UNSEEN));
        NDArray weights = Torch.cast(masked.softmax(-1), Torch.typeOf(seen.values));
        NDArray o = weights.matMul(seen.values); // [B, KV, H/KV, V]
        return o.reshape(batch, 1, heads, o.getShape().get(3)); // [B, 1, H, V]
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

    /** All blocks but the first have the same mask; the first has no block before it. */
    private static NDArray plainBlocks(
            NDArray q, NDArray k, NDArray v, Positions positions, long window, double scale) {
        long block = Math.max(window, LEAST_BLOCK);
        long length = positions.length();
        long missing = TimeAxis.missing(length, block);
        NDArray queries = TimeAxis.pad(q, 0, missing);
        NDArray keys = TimeAxis.pad(k, 0, missing);
        NDArray values = TimeAxis.pad(v, 0, missing);
        NDArray band = AttentionMask.band(positions, window, block); // [1, 1, C, 2C]
        NDArray first =
                attend(
                        TimeAxis.narrow(queries, 0, block),
                        TimeAxis.narrow(keys, 0, block),
                        TimeAxis.narrow(values, 0, block),
                        Torch.call(band.getManager(), "aten::narrow", band, 3, block, block),
                        false,
                        scale); // [B, C, H, V]
        NDArray others =
                blocks(
                        TimeAxis.narrow(queries, block, length + missing - block),
                        keys,
                        values,
                        band,
                        block,
                        scale); // [B, (n-1)·C, H, V]
        return TimeAxis.narrow(TimeAxis.join(first, others), 0, length);
    }

    /** What was seen before, or nothing, is the block before the first. */
    private static NDArray maskedBlocks(
            NDArray q,
            NDArray k,
            NDArray v,
            Past past,
            Positions positions,
            long window,
            double scale) {
        long block = Math.max(window, LEAST_BLOCK);
        long length = positions.length();
        long missing = TimeAxis.missing(length, block);
        NDArray keys = k;
        NDArray values = v;
        long empty = block;
        if (past != null) {
            keys = TimeAxis.join(past.keys.swapAxes(1, 2), k); // [B, L + T, KV, K]
            values = TimeAxis.join(past.values.swapAxes(1, 2), v);
            empty = block - past.positions.getShape().get(1);
        }
        NDArray o =
                blocks(
                        TimeAxis.pad(q, 0, missing),
                        TimeAxis.pad(keys, empty, missing),
                        TimeAxis.pad(values, empty, missing),
                        AttentionMask.blocks(positions, past, window, block),
                        block,
                        scale);
        return TimeAxis.narrow(o, 0, length);
    }

    /**
     * Attends blockwise.
     *
     * @param q [B, n·C, H, K]
     * @param keys [B, (n+1)·C, KV, K]
     * @param values [B, (n+1)·C, KV, V]
     * @param mask broadcasts to [B·n, H, C, 2C]
     * @param block C
     * @return [B, n·C, H, V]
     */
    private static NDArray blocks(
            NDArray q, NDArray keys, NDArray values, NDArray mask, long block, double scale) {
        NDArray o =
                attend(
                        TimeAxis.blocks(q, block),
                        TimeAxis.pairs(keys, block),
                        TimeAxis.pairs(values, block),
                        mask,
                        false,
                        scale); // [B·n, C, H, V]
        Shape shape = q.getShape();
        return o.reshape(shape.get(0), shape.get(1), shape.get(2), values.getShape().get(3));
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
