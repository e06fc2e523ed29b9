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

    /** Tiles below which a segment's second reading of its inputs costs more than it brings. */
    private static final int LEAST_TILES = 4;

    /**
     * Cuts time.
     *
     * @param tokens T
     * @param tile what a block takes at a time, at most
     * @param blocks for one segment of all rows and channels
     * @param multiprocessors of the device
     * @return warps enough for a row's tokens, segments enough for the device
     */
    static TimeCut of(int tokens, ScanTile tile, long blocks, int multiprocessors) {
        int warps = Math.min(tile.warps(), ceilDiv(tokens, tile.steps()));
        int size = warps * tile.steps();
        // One block a multiprocessor has enough loads in flight; fewer than half of that pays for
        // reading twice.
        int wanted = (int) Math.min(tokens, multiprocessors / Math.max(1, blocks));
        int segments = Math.max(1, Math.min(wanted, tokens / (LEAST_TILES * size)));
        int length = ceilDiv(ceilDiv(tokens, segments), size) * size;
        return new TimeCut(warps, ceilDiv(tokens, length), length);
    }

    private static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }
}
