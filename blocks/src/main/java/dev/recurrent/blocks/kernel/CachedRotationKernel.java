package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Rotates queries and keys of one token a row and writes keys and values into a cache, in place and
 * in one launch. Positions are read on the device, so that the launch can be replayed. Rotated
 * values are those of {@link RotaryKernel}, to the bit. Autograd records nothing of it.
 */
public final class CachedRotationKernel {

    private static final KernelSource SOURCE = Sources.of("cached_rotation.cu", "rotation.cuh");

    private static final int WARP = 32;
    private static final int MOST_THREADS = 128;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private CachedRotationKernel() {}

    /** What the source is specialised on. */
    private record Variant(
            String query, String type, String cache, int keyDim, int valueDim, int rotaryDim) {

        Constants constants() {
            return Constants.none()
                    .with("Q_TYPE", query)
                    .with("X_TYPE", type)
                    .with("CACHE_TYPE", cache)
                    .with("KEY_DIM", keyDim)
                    .with("VALUE_DIM", valueDim)
                    .with("ROTARY_DIM", rotaryDim)
                    .with("THREADS", threads());
        }

        /** As many as turn a head's planes at once. */
        int threads() {
            int warps = (Math.max(keyDim, valueDim) / 2 + WARP - 1) / WARP;
            return Math.min(MOST_THREADS, Math.max(1, warps) * WARP);
        }
    }

    /**
     * Where tokens are written.
     *
     * @param keys [B, KV, L, K], as {@link AttentionStepKernel#fits} wants it
     * @param values [B, KV, L, V]
     * @param held the position of each slot, −1 for an empty one, int64 [B, L]
     * @param window W; 0 for none
     */
    public record Cache(NDArray keys, NDArray values, NDArray held, long window) {}

    /**
     * Returns whether the kernel reads tensors as they are, which a result to the bit needs.
     *
     * @param q queries
     * @param k keys
     * @param v values
     */
    public static boolean fits(NDArray q, NDArray k, NDArray v) {
        return Operand.isKnown(Torch.typeOf(q))
                && Operand.isKnown(Torch.typeOf(k))
                && Torch.typeOf(v) == Torch.typeOf(k);
    }

    /**
     * Rotates, and writes a token at position p into slot 1 + p, or 1 + p mod W with a window;
     * padding into slot 0. A token at position 0 empties its row first; one for which there is no
     * slot is not written. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param q [B, 1, H, K], with k and v as {@link #fits} wants them
     * @param k [B, 1, KV, K]
     * @param v [B, 1, KV, V]
     * @param positions int64 [B, 1]
     * @param rotaryDim R, even, at most K; 0 for no rotation
     * @param theta the base of the wavelengths
     * @param cache written in place
     * @return rotated queries [B, 1, H, K], of q's type, in q's manager; q itself without rotation
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static NDArray apply(
            CudaDevice device,
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray positions,
            long rotaryDim,
            double theta,
            Cache cache) {
        Operand.requireSameDevice(q, k, v, positions, cache.keys(), cache.values(), cache.held());
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = q.getManager();
            NDArray turned =
                    rotaryDim == 0
                            ? null
                            : Torch.empty(manager, q.getShape(), Torch.typeOf(q), q.getDevice());
            launch(
                    device,
                    Operand.denseRows(manager, q),
                    Operand.denseRows(manager, k),
                    Operand.denseRows(manager, v),
                    Operand.dense(manager, positions),
                    Math.toIntExact(rotaryDim),
                    theta,
                    cache,
                    turned);
            return turned == null ? q : scope.pass(turned);
        }
    }

    private static void launch(
            CudaDevice device,
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray places,
            int rotaryDim,
            double theta,
            Cache cache,
            NDArray turned) {
        int groups = size(k, 2);
        Variant variant =
                new Variant(
                        Operand.type(q),
                        Operand.type(k),
                        Operand.type(cache.keys()),
                        size(k, 3),
                        size(v, 3),
                        rotaryDim);
        int heads = turned == null ? 0 : size(q, 2);
        long[] ofQuery = TensorMemory.strides(q);
        long[] ofKey = TensorMemory.strides(k);
        long[] ofValue = TensorMemory.strides(v);
        device.kernel(
                        SOURCE,
                        CONSTANTS.computeIfAbsent(variant, Variant::constants),
                        "rotate_and_append")
                .launchEarly(
                        new Kernel.Size(size(q, 0), 2 * groups + heads, variant.threads(), 1),
                        TensorMemory.address(q),
                        TensorMemory.address(k),
                        TensorMemory.address(v),
                        TensorMemory.address(places),
                        Operand.address(turned),
                        TensorMemory.address(cache.keys()),
                        TensorMemory.address(cache.values()),
                        TensorMemory.address(cache.held()),
                        ofQuery[0],
                        ofQuery[2],
                        ofKey[0],
                        ofKey[2],
                        ofValue[0],
                        ofValue[2],
                        groups,
                        size(cache.keys(), 2),
                        cache.window(),
                        RotaryKernel.exponent(theta, rotaryDim));
    }

    private static int size(NDArray array, int axis) {
        return Math.toIntExact(array.getShape().get(axis));
    }
}
