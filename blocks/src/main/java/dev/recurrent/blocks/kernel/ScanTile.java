package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;

/**
 * What a block of a scan takes at a time ({@code scan.cuh}).
 *
 * @param lanes threads of a team, 32 or 16
 * @param channels neighbours of a lane
 * @param steps tokens of a team
 * @param teams of a block, at most
 */
record ScanTile(int lanes, int channels, int steps, int teams) {

    /**
     * Returns the tile for a tensor [B, T, E]: this one where rows and channels fill the device,
     * one that brings more warps to few blocks, or the smallest for a single token.
     *
     * @param shape [B, T, E]
     * @param multiprocessors of the device
     * @return a tile of as many channels
     */
    ScanTile adapted(Shape shape, int multiprocessors) {
        if (shape.get(1) == 1) {
            return new ScanTile(32, channels, 1, 1);
        }
        return TimeCut.fills(blocks(shape.get(0), shape.get(2)), multiprocessors)
                ? this
                : new ScanTile(32, channels, 8, 8);
    }

    /** Blocks for one segment of all rows. */
    long blocks(long rows, long width) {
        long channelsOfBlock = (long) lanes * channels;
        return rows * ((width + channelsOfBlock - 1) / channelsOfBlock);
    }

    /** Adds what a source is specialised on. */
    Constants addTo(Constants constants) {
        return constants
                .with("LANES", lanes)
                .with("CHANNELS", channels)
                .with("STEPS", steps)
                .with("MOST_TEAMS", teams);
    }
}
