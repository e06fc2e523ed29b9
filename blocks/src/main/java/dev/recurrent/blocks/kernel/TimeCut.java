package dev.recurrent.blocks.kernel;

/**
 * How a scan over time is spread over a device. Every block walks its segment in tiles of teams ·
 * steps tokens; a row has several segments only where rows and channels alone leave multiprocessors
 * idle.
 *
 * @param teams of a block
 * @param segments of a row
 * @param length tokens of a segment, the last one's fewer
 */
record TimeCut(int teams, int segments, int length) {

    /** Blocks of a multiprocessor that keep it busy where the inputs are read twice for it. */
    private static final int BLOCKS_OF_MULTIPROCESSOR = 2;

    /** Tiles below which a segment's second reading of its inputs costs more than it brings. */
    private static final int LEAST_TILES = 4;

    /**
     * Cuts time.
     *
     * @param tokens T
     * @param tile what a block takes at a time, at most
     * @param blocks for one segment of all rows and channels
     * @param multiprocessors of the device
     * @return teams enough for a row's tokens, segments enough for the device
     */
    static TimeCut of(int tokens, ScanTile tile, long blocks, int multiprocessors) {
        int teams = Math.min(tile.teams(), ceilDiv(tokens, tile.steps()));
        if (tile.lanes() < 32) {
            teams += teams % 2; // whole warps
        }
        int size = teams * tile.steps();
        int segments =
                Math.max(
                        1,
                        Math.min(wanted(blocks, multiprocessors), tokens / (LEAST_TILES * size)));
        int length = ceilDiv(ceilDiv(tokens, segments), size) * size;
        return new TimeCut(teams, ceilDiv(tokens, length), length);
    }

    /** Returns whether rows and channels alone keep a device busy. */
    static boolean fills(long blocks, int multiprocessors) {
        // Fewer than half of them pays for reading twice.
        return 2 * blocks > multiprocessors;
    }

    private static int wanted(long blocks, int multiprocessors) {
        return fills(blocks, multiprocessors)
                ? 1
                : (int) (BLOCKS_OF_MULTIPROCESSOR * multiprocessors / Math.max(1, blocks));
    }

    private static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }
}
