package dev.recurrent.blocks.cuda;

/**
 * What a block of a scan takes at a time ({@code scan.cuh}).
 *
 * @param steps tokens of a warp
 * @param channels neighbours of a lane
 * @param warps of a block, at most
 */
record ScanTile(int steps, int channels, int warps) {

    /** A single token needs no more. */
    static ScanTile ofToken(int channels) {
        return new ScanTile(1, channels, 1);
    }

    /** Adds what a source is specialised on. */
    Constants addTo(Constants constants) {
        return constants.with("STEPS", steps).with("CHANNELS", channels).with("MOST_WARPS", warps);
    }
}
