package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Writes one token a row into a cache of keys and values, in place. Positions are read on the
 * device, so that a launch can be replayed. Autograd records nothing of it.
 */
public final class CacheAppendKernel {

    private static final KernelSource SOURCE = Sources.of("cache_append.cu");

    private static final int THREADS = 256;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private CacheAppendKernel() {}

    /** What the source is specialised on. */
    private record Variant(String type, String cache) {

        Constants constants() {
            return Constants.none().with("X_TYPE", type).with("CACHE_TYPE", cache);
        }
    }

    /**
     * Writes a token at position p into slot 1 + p, or 1 + p mod W with a window; padding into slot
     * 0. A token at position 0 empties its row first. Shapes are the caller's to check; copies that
     * the kernel needs of tensors of other types or layouts are left to the scope around the call.
     *
     * @param device where the tensors lie
     * @param k [B, 1, KV, K]
     * @param v [B, 1, KV, V]
     * @param positions int64 [B, 1]; a token for which there is no slot is not written
     * @param keys [B, KV, L, K], as {@link AttentionStepKernel#fits} wants it
     * @param values [B, KV, L, V]
     * @param held the position of each slot, −1 for an empty one, int64 [B, L]
     * @param window W; 0 for none
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static void apply(
            CudaDevice device,
            NDArray k,
            NDArray v,
            NDArray positions,
            NDArray keys,
            NDArray values,
            NDArray held,
            long window) {
        Operand.requireSameDevice(k, v, positions, keys, values, held);
        NDManager manager = k.getManager();
        NDArray key = Operand.readable(manager, k);
        NDArray value = Operand.dense(manager, Torch.cast(manager, v, Torch.typeOf(key)));
        NDArray places = Operand.dense(manager, positions);
        Variant variant = new Variant(Operand.type(key), Operand.type(keys));
        device.kernel(SOURCE, CONSTANTS.computeIfAbsent(variant, Variant::constants), "append")
                .launch(
                        new Kernel.Size(size(keys, 0), size(keys, 1), THREADS, 1),
                        TensorMemory.address(key),
                        TensorMemory.address(value),
                        TensorMemory.address(places),
                        TensorMemory.address(keys),
                        TensorMemory.address(values),
                        TensorMemory.address(held),
                        size(keys, 3),
                        size(values, 3),
                        size(keys, 2),
                        window);
    }

    private static int size(NDArray array, int axis) {
        return Math.toIntExact(array.getShape().get(axis));
    }
}
