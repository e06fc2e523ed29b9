package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.SlidingWindowAttention.Past;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;
import java.util.Set;

/**
 * Attention by the kernels that PyTorch has for half precision on CUDA (FlashAttention-2, arXiv
 * 2307.08691), which take windows, documents and shared heads as they are. Autograd records them.
 */
public final class FlashAttention {

    private static final long MOST_HEAD_DIM = 256;

    /** Beyond, PyTorch has gradients on {@link #WITH_LARGE_SHARED_MEMORY} only. */
    private static final long MOST_HEAD_DIM_EVERYWHERE = 192;

    private static final Set<Integer> WITH_LARGE_SHARED_MEMORY = Set.of(80, 90, 100);

    private FlashAttention() {}

    private record Ends(boolean keys, long past) {}

    private record Rows(long past) {}

    /**
     * Returns whether PyTorch's kernels take heads of a size.
     *
     * @param keyDim K
     * @param valueDim V
     * @param recording whether autograd records
     * @param capability of the device, such as 90 for 9.0
     */
    public static boolean fits(long keyDim, long valueDim, boolean recording, int capability) {
        return keyDim == valueDim
                && keyDim % 8 == 0
                && keyDim <= MOST_HEAD_DIM
                && (keyDim <= MOST_HEAD_DIM_EVERYWHERE
                        || !recording
                        || WITH_LARGE_SHARED_MEMORY.contains(capability));
    }

    /** Returns whether {@link #apply} can be called. */
    static boolean takes(NDArray q, NDArray k, NDArray v, Positions positions) {
        Optional<CudaDevice> device = Kernels.on(q.getDevice());
        return device.isPresent()
                && isHalf(typeOf(q))
                && positions.isCompact()
                && fits(
                        q.getShape().get(3),
                        v.getShape().get(3),
                        GradientMode.records(q, k, v),
                        device.get().capability());
    }

    private static boolean isHalf(ScalarType type) {
        return type == ScalarType.BFLOAT16 || type == ScalarType.FLOAT16;
    }

    /** What products are computed in. */
    private static ScalarType typeOf(NDArray q) {
        ScalarType type = MatrixPrecision.current().type();
        return type == null ? Torch.typeOf(q) : type;
    }

    /** As {@link SlidingWindowAttention#apply}. */
    static NDArray apply(
            NDArray q,
            NDArray k,
            NDArray v,
            Past past,
            Positions positions,
            long window,
            Softmax softmax) {
        ScalarType type = typeOf(q);
        NDArray o =
                attend(
                        Torch.cast(q, type),
                        Torch.cast(k, type),
                        Torch.cast(v, type),
                        past,
                        positions,
                        window,
                        softmax);
        return Torch.cast(o, Torch.typeOf(q)); // [B, T, H, V]
    }

    private static NDArray attend(
            NDArray q,
            NDArray k,
            NDArray v,
            Past past,
            Positions positions,
            long window,
            Softmax softmax) {
        if (!positions.isCausal(past != null)) {
            return documents(q, k, v, past, positions, window, softmax);
        }
        long length = positions.length();
        return window == 0 || length <= window
                ? causal(q, k, v, softmax)
                : flash(q, k, v, null, null, length, length, window, softmax);
    }

    /** Leaves it to PyTorch which of its kernels is the fastest. */
    private static NDArray causal(NDArray q, NDArray k, NDArray v, Softmax softmax) {
        NDArray o =
                Aten.attention(
                        q.swapAxes(1, 2),
                        k.swapAxes(1, 2),
                        v.swapAxes(1, 2),
                        null,
                        true,
                        softmax.scale(),
                        softmax.dropout()); // [B, H, T, V]
        return o.swapAxes(1, 2);
    }

    /** Each document by itself, behind the past that it continues. */
    private static NDArray documents(
            NDArray q,
            NDArray k,
            NDArray v,
            Past past,
            Positions positions,
            long window,
            Softmax softmax) {
        NDArray keys = k;
        NDArray values = v;
        Past before = past == null ? null : past.inOrder();
        long slots = 0;
        if (before != null) {
            ScalarType type = Torch.typeOf(k);
            keys = TimeAxis.join(Torch.cast(before.keys(), type).swapAxes(1, 2), k);
            values = TimeAxis.join(Torch.cast(before.values(), type).swapAxes(1, 2), v);
            slots = before.positions().getShape().get(1);
        }
        PackedDocuments packed = PackedDocuments.of(positions, slots);
        NDArray o =
                flash(
                        joinRows(q),
                        joinRows(keys),
                        joinRows(values),
                        queryEnds(positions, packed, slots),
                        keyEnds(positions, packed, before, slots),
                        packed.mostQueries(),
                        packed.mostKeys(),
                        window,
                        softmax); // [B·T, H, V]
        Shape shape = q.getShape();
        return o.reshape(shape.get(0), shape.get(1), shape.get(2), v.getShape().get(3));
    }

    /** [B, T, H, K] → [B·T, H, K]. */
    private static NDArray joinRows(NDArray x) {
        Shape shape = x.getShape();
        return x.reshape(shape.get(0) * shape.get(1), shape.get(2), shape.get(3));
    }

    private static NDArray queryEnds(Positions positions, PackedDocuments packed, long slots) {
        NDManager manager = positions.manager();
        return positions.derive(new Ends(false, slots), () -> manager.create(packed.queries()));
    }

    private static NDArray keyEnds(
            Positions positions, PackedDocuments packed, Past before, long slots) {
        NDManager manager = positions.manager();
        NDArray ends = positions.derive(new Ends(true, slots), () -> manager.create(packed.keys()));
        if (before == null) {
            return ends;
        }
        NDArray rows = positions.derive(new Rows(slots), () -> manager.create(packed.rows()));
        NDArray empty =
                before.positions().lt(0L).toType(DataType.INT32, false).sum(new int[] {1}); // [B]
        NDArray none = manager.zeros(new Shape(1), DataType.INT32);
        return ends.add(
                TimeAxis.join(empty.toType(DataType.INT32, false).expandDims(0), none.expandDims(0))
                        .squeeze(0)
                        .gather(rows, 0)); // int32 [stretches + 1]
    }

    /**
     * Calls the kernel.
     *
     * @param q [B, T, H, K]; with ends, [tokens, H, K]
     * @param k [B, S, KV, K] or [tokens, KV, K]
     * @param v likewise
     * @param queryEnds int32; null for rows of equal length
     * @param keyEnds likewise
     * @param mostQueries T or an upper bound
     * @param mostKeys S or an upper bound
     * @return [B, T, H, V] or [tokens, H, V]
     */
    private static NDArray flash(
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray queryEnds,
            NDArray keyEnds,
            long mostQueries,
            long mostKeys,
            long window,
            Softmax softmax) {
        // _flash_attention_forward(Tensor query, Tensor key, Tensor value, Tensor? cum_seq_q,
        //     Tensor? cum_seq_k, SymInt max_q, SymInt max_k, float dropout_p, bool is_causal,
        //     bool return_debug_mask, *, float? scale, SymInt? window_size_left,
        //     SymInt? window_size_right, Tensor? seqused_k, Tensor? alibi_slopes)
        //     -> (Tensor output, Tensor softmax_logsumexp, Tensor rng_state, Tensor, Tensor)
        NDArray[] results =
                Torch.callAll(
                        q.getManager(),
                        "aten::_flash_attention_forward",
                        5,
                        q,
                        k,
                        v,
                        Torch.some(queryEnds),
                        Torch.some(keyEnds),
                        mostQueries,
                        mostKeys,
                        softmax.dropout(),
                        true,
                        false,
                        Torch.some(softmax.scale()),
                        Torch.some(window == 0 ? null : window - 1),
                        Torch.some(window == 0 ? null : 0L),
                        null,
                        null);
        for (int i = 1; i < results.length; i++) {
            results[i].close();
        }
        return results[0];
    }
}
