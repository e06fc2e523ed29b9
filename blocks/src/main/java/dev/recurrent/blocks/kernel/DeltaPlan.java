package dev.recurrent.blocks.kernel;

/**
 * How the delta rule's forward is cut for a device, as {@code delta_chunks.cu} and {@code
 * delta_scan.cu} have it.
 *
 * @param elementBytes of q, k and v
 * @param keys K with zeros at the end
 * @param warps of a scanning block that own 16 columns of V each
 * @param loaders others that copy
 * @param stages chunks whose inputs such a block has room for
 */
record DeltaPlan(int elementBytes, int keys, int warps, int loaders, int stages) {

    /**
     * C, tokens of a chunk. With 64 the state is passed on half as often, but chunks cost more in
     * themselves, and fewer warps fit.
     */
    static final int CHUNK = 32;

    private static final int LANES = 32;
    private static final int TILE = 16;

    /** What the registers of a warp hold of 16 columns of the state. */
    private static final int MOST_KEY_DIM = 256;

    /** A warp, and one that copies, for each of a multiprocessor's schedulers. */
    private static final int SCHEDULERS = 4;

    private static final int FEW_WARPS = 2;

    /** Up to here, in two bytes an element, registers hold the states of two warps a scheduler. */
    private static final int SMALL_KEY_DIM = 128;

    private static final int MOST_STAGES = 4;

    /** The part of the multiprocessors that is to have a block before blocks grow. */
    private static final double ENOUGH = 0.75;

    /**
     * Chooses.
     *
     * @param elementBytes of q, k and v
     * @param keyDim K
     * @param valueDim V
     * @param sequences B·HV
     * @param multiprocessors of the device
     * @param mostShared bytes of shared memory that a block may have
     * @return the plan; null if there is no room for the operands
     */
    static DeltaPlan of(
            int elementBytes,
            long keyDim,
            long valueDim,
            long sequences,
            int multiprocessors,
            int mostShared) {
        if (keyDim > MOST_KEY_DIM) {
            return null;
        }
        int keys = ceilDiv(keyDim, TILE) * TILE;
        boolean small = keys <= SMALL_KEY_DIM && elementBytes < Float.BYTES;
        int most = small ? 2 * SCHEDULERS : SCHEDULERS;
        int warps = Math.min(most, Integer.highestOneBit(ceilDiv(valueDim, TILE)));
        while (warps > FEW_WARPS
                && sequences * ceilDiv(valueDim, TILE * warps) < ENOUGH * multiprocessors) {
            warps /= 2;
        }
        DeltaPlan ahead = widest(elementBytes, keys, warps, 2, mostShared);
        return ahead != null ? ahead : widest(elementBytes, keys, warps, 1, mostShared);
    }

    /** The plan with the most warps, and of those with the most stages; null if none fits. */
    private static DeltaPlan widest(
            int elementBytes, int keys, int mostWarps, int leastStages, int mostShared) {
        for (int warps = mostWarps; warps > 0; warps /= 2) {
            for (int stages = MOST_STAGES; stages >= leastStages; stages--) {
                int loaders = Math.min(warps, SCHEDULERS);
                DeltaPlan plan = new DeltaPlan(elementBytes, keys, warps, loaders, stages);
                if (plan.fits(mostShared)) {
                    return plan;
                }
            }
        }
        return null;
    }

    private boolean fits(int mostShared) {
        return Math.max(chunkBytes(), scanBytes()) <= mostShared;
    }

    /** Threads of a block that prepares a chunk. */
    static int chunkThreads() {
        return 2 * CHUNK;
    }

    /** Shared memory of a block that prepares a chunk. */
    int chunkBytes() {
        int tokens = 4 * Float.BYTES * CHUNK;
        return tokens + 2 * Math.max(tile(keys, elementBytes), tile(CHUNK, Float.BYTES));
    }

    /** Threads of a scanning block. */
    int scanThreads() {
        return LANES * (warps + loaders);
    }

    /** Shared memory of a scanning block, with room for β. */
    int scanBytes() {
        int columns = tile(TILE * warps, elementBytes);
        int stage =
                2 * tile(keys, elementBytes)
                        + columns
                        + 2 * tile(CHUNK, elementBytes)
                        + 3 * Float.BYTES * CHUNK;
        return stages * stage + 2 * columns;
    }

    /** Scanning blocks that share the columns of one state. */
    int slices(long valueDim) {
        return ceilDiv(valueDim, TILE * warps);
    }

    /** C rows in shared memory, 16 bytes apart. */
    private int tile(int columns, int bytes) {
        return CHUNK * (columns * bytes + TILE);
    }

    static int ceilDiv(long dividend, int divisor) {
        return Math.toIntExact((dividend + divisor - 1) / divisor);
    }
}
