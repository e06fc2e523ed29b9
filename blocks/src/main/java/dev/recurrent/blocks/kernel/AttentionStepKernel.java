package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Attention of one token a row to a cache. Keys are read once for heads that share them, by as many
 * blocks as fill the device ("flash decoding"). Launches depend on shapes alone, so that they can
 * be replayed. Autograd records nothing of it.
 */
public final class AttentionStepKernel {

    private static final KernelSource SOURCE =
            Sources.of("attention_step.cu", "attention_merge.cuh");

    /** On tensor cores, for heads that share keys. */
    private static final KernelSource GROUPED =
            Sources.of("grouped_attention_step.cu", "attention_merge.cuh");

    /** Heads of a group below which tensor cores gain nothing. */
    private static final int LEAST_GROUPED = 3;

    private static final int MOST_GROUPED = 16;

    /** What registers hold of a head's sums. */
    private static final int MOST_GROUPED_DIM = 256;

    /** What shared memory holds of the sums of a block of {@link #WARPS}. */
    private static final int MOST_GROUPED_SUMS = 2560;

    private static final int LANES = 32;
    private static final int WARPS = 4;

    /** Elements of a key for each lane that looks at it: a load of 16 bytes in bfloat16. */
    private static final int OF_LANE = 8;

    /** What registers hold of the queries, or the sums, of a block's heads. */
    private static final int MOST_OF_HEADS = 48;

    /**
     * Blocks for each multiprocessor: more hide more of memory's latency, and cost more merging.
     */
    private static final int BLOCKS_OF_MULTIPROCESSOR = 6;

    /** What the last kernel merges. */
    private static final int MOST_PIECES = 128;

    /** Slots of a piece below which merging costs more than it gains. */
    private static final int LEAST_PIECE = 64;

    private static final int COMBINE_THREADS = 128;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private AttentionStepKernel() {}

    /** What a source is specialised on. */
    private record Variant(
            boolean grouped, String type, String cache, int keyDim, int valueDim, int heads) {

        static Variant of(NDArray x, NDArray keys, NDArray values, int share) {
            int keyDim = size(keys, 3);
            int valueDim = size(values, 3);
            boolean grouped =
                    share >= LEAST_GROUPED
                            && Torch.typeOf(keys) == ScalarType.BFLOAT16
                            && keyDim % 32 == 0
                            && valueDim % 64 == 0
                            && Math.max(keyDim, valueDim) <= MOST_GROUPED_DIM;
            int ofLane = Math.max(ofLane(keyDim, keyDim), ofLane(valueDim, keyDim));
            int heads =
                    Math.min(share, grouped ? MOST_GROUPED : Math.max(1, MOST_OF_HEADS / ofLane));
            while (share % heads != 0) {
                heads--;
            }
            return new Variant(
                    grouped, Operand.type(x), Operand.type(keys), keyDim, valueDim, heads);
        }

        /** The same on tensor cores, where a block has many heads' sums to merge. */
        int blocksOfMultiprocessor() {
            return grouped ? MOST_GROUPED_DIM / valueDim : BLOCKS_OF_MULTIPROCESSOR;
        }

        int warps() {
            return grouped && heads * valueDim > MOST_GROUPED_SUMS ? WARPS / 2 : WARPS;
        }

        Constants constants() {
            Constants common =
                    Constants.none()
                            .with("X_TYPE", type)
                            .with("KEY_DIM", keyDim)
                            .with("VALUE_DIM", valueDim)
                            .with("HEADS", heads)
                            .with("WARPS", warps());
            return grouped ? common : common.with("CACHE_TYPE", cache).with("LANES", lanes(keyDim));
        }

        Kernel kernel(CudaDevice device, String name) {
            return device.kernel(
                    grouped ? GROUPED : SOURCE,
                    CONSTANTS.computeIfAbsent(this, Variant::constants),
                    name);
        }
    }

    private static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }

    private static int size(NDArray array, int axis) {
        return Math.toIntExact(array.getShape().get(axis));
    }

    /** How many lanes look at a key together. */
    private static int lanes(int keyDim) {
        int lanes = LANES;
        while (lanes > 1 && keyDim < OF_LANE * lanes) {
            lanes /= 2;
        }
        return lanes;
    }

    private static int ofLane(int dim, int keyDim) {
        return ceilDiv(dim, lanes(keyDim));
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
        int keyDim = size(keys, 3);
        return (type == ScalarType.BFLOAT16 || type == ScalarType.FLOAT32)
                && Torch.typeOf(values) == type
                && ofLane(keyDim, keyDim) <= MOST_OF_HEADS
                && ofLane(size(values, 3), keyDim) <= MOST_OF_HEADS
                && TensorMemory.isContiguous(keys)
                && TensorMemory.isContiguous(values)
                && TensorMemory.isContiguous(held)
                && TensorMemory.address(keys) % 16 == 0
                && TensorMemory.address(values) % 16 == 0;
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
            double scale) {
        Operand.requireSameDevice(q, keys, values, held);
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = q.getManager();
            NDArray query = Operand.readable(manager, q);
            Shape shape = new Shape(size(q, 0), 1, size(q, 2), size(values, 3));
            NDArray o = Torch.empty(manager, shape, Torch.typeOf(query), q.getDevice());
            launch(device, query, keys, values, held, o, scale);
            return scope.pass(Torch.cast(manager, o, Torch.typeOf(q)));
        }
    }

    private static void launch(
            CudaDevice device,
            NDArray q,
            NDArray keys,
            NDArray values,
            NDArray held,
            NDArray o,
            double scale) {
        int groups = size(keys, 1);
        int heads = size(q, 2) / groups;
        int slots = size(keys, 2);
        int allHeads = size(q, 0) * size(q, 2);
        Variant variant = Variant.of(q, keys, values, heads);
        int blocks = allHeads / variant.heads();
        int wanted = ceilDiv(variant.blocksOfMultiprocessor() * device.multiprocessors(), blocks);
        int length = length(slots, wanted);
        int pieces = ceilDiv(slots, length);
        NDArray partial = null;
        NDArray weights = null;
        if (pieces > 1) {
            partial = allocate(q, allHeads, pieces, variant.valueDim());
            weights = allocate(q, allHeads, pieces, 2);
        }
        variant.kernel(device, "attend")
                .launch(
                        new Kernel.Size(pieces, blocks, LANES, variant.warps()),
                        TensorMemory.address(q),
                        TensorMemory.address(keys),
                        TensorMemory.address(values),
                        TensorMemory.address(held),
                        TensorMemory.address(o),
                        Operand.address(partial),
                        Operand.address(weights),
                        groups,
                        heads,
                        slots,
                        length,
                        Float.floatToRawIntBits((float) scale));
        if (pieces > 1) {
            variant.kernel(device, "combine")
                    .launch(
                            new Kernel.Size(allHeads, 1, COMBINE_THREADS, 1),
                            TensorMemory.address(partial),
                            TensorMemory.address(weights),
                            TensorMemory.address(o),
                            pieces);
        }
    }

    /** Slots of a piece, where so many pieces would fill the device. */
    private static int length(int slots, int wanted) {
        int pieces = Math.min(wanted, Math.min(MOST_PIECES, ceilDiv(slots, LEAST_PIECE)));
        return ceilDiv(slots, pieces);
    }

    private static NDArray allocate(NDArray like, long... shape) {
        return Torch.empty(
                like.getManager(), new Shape(shape), ScalarType.FLOAT32, like.getDevice());
    }
}
