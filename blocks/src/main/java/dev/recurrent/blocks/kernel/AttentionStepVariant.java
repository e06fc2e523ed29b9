package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What {@link AttentionStepKernel}'s sources are specialised on, and how they share slots.
 *
 * @param grouped whether heads that share keys go through tensor cores
 * @param type of queries
 * @param cache of keys and values
 * @param keyDim K
 * @param valueDim V
 * @param heads of a block, sharing keys
 */
record AttentionStepVariant(
        boolean grouped, String type, String cache, int keyDim, int valueDim, int heads) {

    static final int LANES = 32;

    private static final KernelSource SOURCE =
            Sources.of("attention_step.cu", "arrival.cuh", "attention_merge.cuh");

    private static final KernelSource GROUPED =
            Sources.of("grouped_attention_step.cu", "arrival.cuh", "attention_merge.cuh");

    /** Heads of a group below which tensor cores gain nothing. */
    private static final int LEAST_GROUPED = 3;

    private static final int MOST_GROUPED = 16;

    /** What registers hold of a head's sums. */
    private static final int MOST_GROUPED_DIM = 256;

    /** What shared memory holds of the sums of a block of {@link #WARPS}. */
    private static final int MOST_GROUPED_SUMS = 2560;

    private static final int WARPS = 4;

    /** Keys that a warp looks at at a time, on tensor cores. */
    private static final int GROUPED_KEYS = 16;

    /** Keys that lanes look at at a time, without. */
    private static final int STEPS = 4;

    /** Elements of a key for each lane that looks at it: a load of 16 bytes in bfloat16. */
    private static final int OF_LANE = 8;

    /** What registers hold of the queries, or the sums, of a block's heads. */
    private static final int MOST_OF_HEADS = 48;

    /**
     * Blocks for each multiprocessor: more hide more of memory's latency, and cost more merging.
     */
    private static final int BLOCKS_OF_MULTIPROCESSOR = 6;

    /** What the sources merge. */
    private static final int MOST_PIECES = 128;

    /** So many pieces cost little to merge: one look at memory. */
    private static final int FEW_PIECES = 16;

    /** Slots of a piece below which merging more of them costs more than it gains. */
    private static final int LEAST_PIECE = 64;

    /** What the last block merges; of more, each head gets a block in a launch of its own. */
    private static final int MOST_LAST_BYTES = 256 * 1024;

    private static final Map<AttentionStepVariant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    /**
     * Chooses.
     *
     * @param x queries
     * @param keys [B, KV, L, K]
     * @param values [B, KV, L, V]
     * @param share how many heads share keys
     */
    static AttentionStepVariant of(NDArray x, NDArray keys, NDArray values, int share) {
        int keyDim = Math.toIntExact(keys.getShape().get(3));
        int valueDim = Math.toIntExact(values.getShape().get(3));
        boolean grouped =
                share >= LEAST_GROUPED
                        && Torch.typeOf(keys) == ScalarType.BFLOAT16
                        && keyDim % 32 == 0
                        && valueDim % 64 == 0
                        && Math.max(keyDim, valueDim) <= MOST_GROUPED_DIM;
        int ofLane = Math.max(ofLane(keyDim, keyDim), ofLane(valueDim, keyDim));
        int heads = Math.min(share, grouped ? MOST_GROUPED : Math.max(1, MOST_OF_HEADS / ofLane));
        while (share % heads != 0) {
            heads--;
        }
        return new AttentionStepVariant(
                grouped, Operand.type(x), Operand.type(keys), keyDim, valueDim, heads);
    }

    /** Returns whether registers hold vectors of these sizes. */
    static boolean fits(int keyDim, int valueDim) {
        return ofLane(keyDim, keyDim) <= MOST_OF_HEADS && ofLane(valueDim, keyDim) <= MOST_OF_HEADS;
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

    private static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }

    int warps() {
        return grouped && heads * valueDim > MOST_GROUPED_SUMS ? WARPS / 2 : WARPS;
    }

    /** Slots that a block looks at at a time. */
    private int together() {
        return warps() * (grouped ? GROUPED_KEYS : LANES / lanes(keyDim) * STEPS);
    }

    /**
     * Returns into how many pieces slots are cut at most; how many of them there are depends on
     * what a token may see.
     *
     * @param device what is to be filled
     * @param slots L
     * @param blocks of a piece
     */
    int pieces(CudaDevice device, int slots, int blocks) {
        // On tensor cores a block has many heads' sums to merge.
        int each = grouped ? MOST_GROUPED_DIM / valueDim : BLOCKS_OF_MULTIPROCESSOR;
        int filling = ceilDiv(each * device.multiprocessors(), blocks);
        int few = Math.min(FEW_PIECES, ceilDiv(slots, together()));
        int worthwhile = Math.max(few, ceilDiv(slots, LEAST_PIECE));
        return Math.min(MOST_PIECES, Math.min(filling, worthwhile));
    }

    /** Returns whether so many pieces are merged by the last block that is done with one. */
    boolean lastMerges(int pieces) {
        return (long) pieces * heads * valueDim * Float.BYTES <= MOST_LAST_BYTES;
    }

    Kernel kernel(CudaDevice device, String name) {
        return device.kernel(
                grouped ? GROUPED : SOURCE,
                CONSTANTS.computeIfAbsent(this, AttentionStepVariant::constants),
                name);
    }

    private Constants constants() {
        Constants common =
                Constants.none()
                        .with("X_TYPE", type)
                        .with("KEY_DIM", keyDim)
                        .with("VALUE_DIM", valueDim)
                        .with("HEADS", heads)
                        .with("WARPS", warps())
                        .with("LEAST", together());
        return grouped ? common : common.with("CACHE_TYPE", cache).with("LANES", lanes(keyDim));
    }
}
