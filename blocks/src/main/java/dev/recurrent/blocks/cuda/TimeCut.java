package dev.recurrent.blocks.cuda;

/**
 * How a scan over time is spread over a device. Every block walks its segment in tiles of warps ·
 * steps tokens; a row has several segments only where rows and channels alone leave multiprocessors
 * idle.
 *
 * @param warps of a block
 * @param segments of a row
 * @param length tokens of a segment, the last one's fewer
 */
record TimeCut(int warps, int segments, int length) {

    /** More spend longer on folding each other's sums than they gain. */
    static final int MOST_WARPS = 8;

    /** Tiles below which a segment's second reading of its inputs costs more than it brings. */
    private static final int LEAST_TILES = 4;

    /**
     * Cuts time.
     *
     * @param tokens T
     * @param steps tokens a warp takes at a time
     * @param blocks for one segment of all rows and channels
     * @param multiprocessors of the device
     * @return warps enough for a row's tokens, segments enough for the device
     */
    static TimeCut of(int tokens, int steps, long blocks, int multiprocessors) {
        int warps = Math.min(MOST_WARPS, ceilDiv(tokens, steps));
        int tile = warps * steps;
        // One block a multiprocessor has enough loads in flight; fewer than half of that pays for
        // reading twice.
        int wanted = (int) Math.min(tokens, multiprocessors / Math.max(1, blocks));
        int segments = Math.max(1, Math.min(wanted, tokens / (LEAST_TILES * tile)));
        int length = ceilDiv(ceilDiv(tokens, segments), tile) * tile;
        return new TimeCut(warps, ceilDiv(tokens, length), length);
    }

    private static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }
}
