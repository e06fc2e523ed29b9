package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;

/**
 * Attention of one token a row to a cache. Keys are read once for heads that share them, by as many
 * blocks as fill the device ("flash decoding"); the last of them that is done merges what all have.
 * Launches depend on shapes alone, so that they can be replayed. Autograd records nothing of it.
 */
public final class AttentionStepKernel {

    private AttentionStepKernel() {}

    private static int size(NDArray array, int axis) {
        return Math.toIntExact(array.getShape().get(axis));
    }

    /**
     * Returns whether the kernel knows a cache's layout.
     *
     * @param keys [B, KV, L, K]
     * @param values [B, KV, L, V]
     * @param held int64 [B, L]
     */
    public static boolean fits(NDArray keys, NDArray values, NDArray held) {
        ScalarType type = Torch.typeOf(keys);
        return Operand.isKnown(type)
                && Torch.typeOf(values) == type
                && AttentionStepVariant.fits(size(keys, 3), size(values, 3))
                && TensorMemory.isContiguous(keys)
                && TensorMemory.isContiguous(values)
                && TensorMemory.isContiguous(held)
                && isAligned(keys)
                && isAligned(values);
    }

    private static boolean isAligned(NDArray array) {
        return TensorMemory.address(array) % 16 == 0;
    }

    /**
     * Attends to all slots of a cache that hold something. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param q [B, 1, H, K], KV a divisor of H; bfloat16 and float32 are read as they are, other
     *     types are converted
     * @param keys [B, KV, L, K], as {@link #fits} wants it
     * @param values [B, KV, L, V]
     * @param held the position of each slot, −1 for an empty one, int64 [B, L]
     * @param positions int64 [B, 1]: slots above a token's position + 1 hold nothing
     * @param arrived int32 [B·H], zeros, and zeros again afterwards; no other launch may use it at
     *     the same time
     * @param scale what scores are multiplied by
     * @return [B, 1, H, V], of q's type, in q's manager; zero where nothing is held
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if a kernel cannot be compiled or launched
     */
    public static NDArray attend(
            CudaDevice device,
            NDArray q,
            NDArray keys,
            NDArray values,
            NDArray held,
            NDArray positions,
            NDArray arrived,
            double scale) {
        Operand.requireSameDevice(q, keys, values, held, positions, arrived);
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = q.getManager();
            NDArray query = Operand.aligned(manager, Operand.readable(manager, q));
            NDArray places = Operand.dense(manager, positions);
            Shape shape = new Shape(size(q, 0), 1, size(q, 2), size(values, 3));
            NDArray o = Torch.empty(manager, shape, Torch.typeOf(query), q.getDevice());
            launch(device, query, keys, values, held, places, arrived, o, scale);
            return scope.pass(Torch.cast(manager, o, Torch.typeOf(q)));
        }
    }

    private static void launch(
            CudaDevice device,
            NDArray q,
            NDArray keys,
            NDArray values,
            NDArray held,
            NDArray places,
            NDArray arrived,
            NDArray o,
            double scale) {
        int groups = size(keys, 1);
        int heads = size(q, 2);
        int slots = size(keys, 2);
        int allHeads = size(q, 0) * heads;
        AttentionStepVariant variant = AttentionStepVariant.of(q, keys, values, heads / groups);
        int blocks = allHeads / variant.heads();
        int pieces = variant.pieces(device, slots, blocks);
        boolean lastMerges = variant.lastMerges(pieces);
        NDArray partial = null;
        NDArray weights = null;
        if (pieces > 1) {
            partial = allocate(q, allHeads, pieces, variant.valueDim());
            weights = allocate(q, allHeads, pieces, 2);
        }
        variant.kernel(device, "attend")
                .launchEarly(
                        new Kernel.Size(
                                pieces, blocks, AttentionStepVariant.LANES, variant.warps()),
                        TensorMemory.address(q),
                        TensorMemory.address(keys),
                        TensorMemory.address(values),
                        TensorMemory.address(held),
                        TensorMemory.address(places),
                        TensorMemory.address(o),
                        Operand.address(partial),
                        Operand.address(weights),
                        lastMerges ? TensorMemory.address(arrived) : 0,
                        groups,
                        heads / groups,
                        slots,
                        Float.floatToRawIntBits((float) scale));
        if (pieces > 1 && !lastMerges) {
            variant.kernel(device, "combine")
                    .launchEarly(
                            new Kernel.Size(
                                    allHeads, 1, AttentionStepVariant.LANES, variant.warps()),
                            TensorMemory.address(partial),
                            TensorMemory.address(weights),
                            TensorMemory.address(places),
                            TensorMemory.address(o),
                            heads,
                            slots,
                            pieces);
        }
    }

    private static NDArray allocate(NDArray like, long... shape) {
        return Torch.empty(
                like.getManager(), new Shape(shape), ScalarType.FLOAT32, like.getDevice());
    }
}
