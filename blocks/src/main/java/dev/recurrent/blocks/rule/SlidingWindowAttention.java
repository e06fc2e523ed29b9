package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.AttentionStepKernel;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import java.util.Optional;

/**
 * Causal softmax attention within a window and within a document, with any number of key/value
 * heads: o_t = Σ_s softmax_s(scale · q_t·k_s) v_s over the keys s with position_t − W &lt;
 * position_s ≤ position_t in token t's own document (Griffin, arXiv 2402.19427, section 2.3;
 * multi-query attention, arXiv 1911.02150).
 *
 * <p>Time and memory are O(T · W): nothing of size [T, T] is made, nor masks on CUDA in half
 * precision.
 */
public final class SlidingWindowAttention {

    private SlidingWindowAttention() {}

    /** How many blocks of a step are done, for so many heads. */
    private record Arrivals(long heads) {}

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
        Past inOrder() {
            NDArray order = positions.argSort(1);
            NDArray slots = order.expandDims(1).expandDims(3); // [B, 1, L, 1]
            return new Past(
                    keys.gather(slots.broadcast(keys.getShape()), 2),
                    values.gather(slots.broadcast(values.getShape()), 2),
                    positions.gather(order, 1));
        }
    }

    /**
     * Attends within a sequence and to what was seen before it. On CUDA, where the thread's {@link
     * dev.recurrent.blocks.torch.MatrixPrecision} or the operands' type is half precision, products
     * are in half precision, and sums of gradients may be rounded in another order from run to run.
     *
     * @param q [B, T, H, K]
     * @param k [B, T, KV, K], KV a divisor of H
     * @param v [B, T, KV, V]
     * @param past what was seen before, with at most W slots if W &gt; 0: for each row nothing, or
     *     tokens up to the one before its first; null for nothing
     * @param positions [B, T]
     * @param window W, how many keys a token sees, itself included; 0 for all
     * @param scale what scores are multiplied by
     * @param dropout the share of weights that is dropped, in [0, 1); masks come from the engine's
     *     generator
     * @return [B, T, H, V], of q's type, unspecified but finite at padding
     * @throws IllegalArgumentException if the shapes do not fit one another
     */
    public static NDArray apply(
            NDArray q,
            NDArray k,
            NDArray v,
            Past past,
            Positions positions,
            long window,
            double scale,
            double dropout) {
        check(q, k, v, past, positions, window);
        Softmax softmax = new Softmax(scale, dropout);
        return FlashAttention.takes(q, k, v, positions)
                ? FlashAttention.apply(q, k, v, past, positions, window, softmax)
                : BlockwiseAttention.apply(q, k, v, past, positions, window, softmax);
    }

    /** As {@link #apply(NDArray, NDArray, NDArray, Past, Positions, long, double, double)}. */
    public static NDArray apply(
            NDArray q,
            NDArray k,
            NDArray v,
            Past past,
            Positions positions,
            long window,
            double scale) {
        return apply(q, k, v, past, positions, window, scale, 0);
    }

    /**
     * Attends with one token a row to a cache that holds the token's own key as well.
     *
     * @param q [B, 1, H, K]
     * @param seen the keys, all of them within the token's window and in slots up to its position +
     *     1
     * @param positions [B, 1]
     * @param scale what scores are multiplied by
     * @return [B, 1, H, V], unspecified but finite at padding
     */
    public static NDArray step(NDArray q, Past seen, Positions positions, double scale) {
        Shape shape = q.getShape();
        long batch = shape.get(0);
        long heads = shape.get(2);
        long groups = seen.keys.getShape().get(1);
        Optional<CudaDevice> device = Kernels.on(q.getDevice());
        if (device.isPresent()
                && !GradientMode.records(q, seen.keys, seen.values)
                && AttentionStepKernel.fits(seen.keys, seen.values, seen.positions)) {
            return AttentionStepKernel.attend(
                    device.get(),
                    q,
                    seen.keys,
                    seen.values,
                    seen.positions,
                    positions.array(),
                    arrivals(q, positions),
                    scale);
        }
        // Heads that share keys take the place of time, so that no key is repeated.
        NDArray queries = q.reshape(batch, groups, heads / groups, shape.get(3));
        NDArray mask = AttentionMask.step(positions, seen.positions); // [B, 1, 1, L]
        NDArray o = Aten.attention(queries, seen.keys, seen.values, mask, false, scale);
        return o.reshape(batch, 1, heads, seen.values.getShape().get(3)); // [B, 1, H, V]
    }

    /** One for each head: kernels of a pass come one after the other, so all layers share them. */
    private static NDArray arrivals(NDArray q, Positions positions) {
        Shape shape = new Shape(q.getShape().get(0) * q.getShape().get(2));
        return positions.derive(
                new Arrivals(shape.size()),
                () -> Aten.zeros(positions.manager(), shape, ScalarType.INT32, q.getDevice()));
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
