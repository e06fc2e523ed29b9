package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;

/**
 * Channels that one launch of a short convolution takes ({@code short_convolution.cu}).
 *
 * @param first the first of them
 * @param span how many
 * @param partWidth how many make up one result
 * @param groupWidth how many a warp takes: a head where heads are normalised
 * @param normalized whether heads are divided by their length
 * @param vector neighbours a lane takes at once
 * @param items how often a lane takes them
 */
record ConvolutionSlice(
        long first,
        long span,
        long partWidth,
        long groupWidth,
        boolean normalized,
        int vector,
        int items) {

    private static final int LANES = 32;

    /** Elements that a lane takes at once. */
    private static final int MOST_NEIGHBOURS = 4;

    /** What the registers of a thread hold. */
    private static final int MOST_OWN = 16;

    private static final int HEAVY_OWN = 8;

    /** Channels that make up one result. */
    static ConvolutionSlice plain(long first, long span, long stride, NDArray... arrays) {
        int vector = neighbours(span, MOST_NEIGHBOURS, new long[] {first, stride}, arrays);
        return new ConvolutionSlice(first, span, span, (long) vector * LANES, false, vector, 1);
    }

    /** The channels of queries and keys, from the first on. */
    static ConvolutionSlice heads(ConvolutionHeads heads, long stride, NDArray... arrays) {
        long size = heads.keyDim();
        long width = heads.heads() * size;
        int most = MOST_NEIGHBOURS;
        // No lane stays idle where less each goes round.
        while (most > 1 && (long) most * LANES > size) {
            most /= 2;
        }
        int vector = neighbours(size, most, new long[] {heads.channels(), stride}, arrays);
        int items = Math.toIntExact((size + (long) vector * LANES - 1) / ((long) vector * LANES));
        return new ConvolutionSlice(0, 2 * width, width, size, true, vector, items);
    }

    /**
     * Returns whether a warp's registers hold a head.
     *
     * @param size of the head
     * @return whether {@link #heads} can be launched whatever the alignment
     */
    static boolean holds(long size) {
        return size <= (long) MOST_OWN * LANES;
    }

    /** Neighbours that can be taken at once where rows begin at multiples of some steps. */
    private static int neighbours(long size, int most, long[] steps, NDArray... arrays) {
        int count = Operand.neighbours(most, size, arrays);
        for (long step : steps) {
            while (step % count != 0) {
                count /= 2;
            }
        }
        return count;
    }

    /** Whether a thread's channels take most of its registers on the way back. */
    boolean heavy() {
        return vector * items >= HEAVY_OWN;
    }

    /** Blocks that a multiprocessor takes on the way back, as registers allow. */
    int blocksOfMultiprocessor() {
        return heavy() ? 2 : 3;
    }

    /** Groups of channels, a warp each. */
    long groups() {
        return (span + groupWidth - 1) / groupWidth;
    }
}
