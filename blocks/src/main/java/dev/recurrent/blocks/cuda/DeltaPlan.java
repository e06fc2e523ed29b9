package dev.recurrent.blocks.cuda;

/**
 * How the delta rule's forward is cut for a device, as {@code delta_chunks.cu} and {@code
 * delta_scan.cu} have it.
 *
 * @param elementBytes of q, k and v
 * @param chunk C, tokens of a chunk
 * @param keys K with zeros at the end
 * @param warps of a scanning block that own 16 columns of V each
 * @param split whether as many others compute its outputs
 * @param loaders warps that copy its inputs; 0 if all do
 * @param stages chunks whose inputs it has room for
 */
record DeltaPlan(
        int elementBytes, int chunk, int keys, int warps, boolean split, int loaders, int stages) {

    private static final int LANES = 32;
    private static final int TILE = 16;

    /** What the registers of a warp hold of 16 columns of the state. */
    private static final int MOST_KEY_DIM = 256;

    private static final int MOST_WARPS = 8;
    private static final int FEW_WARPS = 2;
    private static final int LOADERS = 4;

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
        // The state of a shorter chunk is passed on more often, but fp32 needs twice the room.
        int chunk = elementBytes == Float.BYTES ? 32 : 64;
        int keys = ceilDiv(keyDim, TILE) * TILE;
        int warps = Math.min(MOST_WARPS, Integer.highestOneBit(ceilDiv(valueDim, TILE)));
        while (warps > FEW_WARPS
                && sequences * ceilDiv(valueDim, TILE * warps) < ENOUGH * multiprocessors) {
            warps /= 2;
        }
        if (warps <= FEW_WARPS) {
            DeltaPlan split = new DeltaPlan(elementBytes, chunk, keys, warps, true, LOADERS, 3);
            if (split.fits(mostShared)) {
                return split;
            }
        }
        for (int fewer = warps; fewer > 0; fewer /= 2) {
            for (int stages = 2; stages > 0; stages--) {
                DeltaPlan plan = new DeltaPlan(elementBytes, chunk, keys, fewer, false, 0, stages);
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
    int chunkThreads() {
        return 2 * chunk;
    }

    /** Shared memory of a block that prepares a chunk. */
    int chunkBytes() {
        int tokens = 4 * Float.BYTES * chunk;
        return tokens + 2 * Math.max(tile(keys, elementBytes), tile(chunk, Float.BYTES));
    }

    /** Threads of a scanning block. */
    int scanThreads() {
        return LANES * (warps * (split ? 2 : 1) + loaders);
    }

    /** Shared memory of a scanning block, with room for β. */
    int scanBytes() {
        int stage =
                2 * tile(keys, elementBytes)
                        + tile(TILE * warps, elementBytes)
                        + 2 * tile(chunk, elementBytes)
                        + 3 * Float.BYTES * chunk;
        int handover = (keys + chunk) * TILE * elementBytes;
        return stages * stage + (split ? 2 * warps * handover : 0);
    }

    /** Scanning blocks that share the columns of one state. */
    int slices(long valueDim) {
        return ceilDiv(valueDim, TILE * warps);
    }

    /** C rows in shared memory, 16 bytes apart. */
    private int tile(int columns, int bytes) {
        return chunk * (columns * bytes + TILE);
    }

    static int ceilDiv(long dividend, int divisor) {
        return Math.toIntExact((dividend + divisor - 1) / divisor);
    }
}
