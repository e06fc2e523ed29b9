package dev.recurrent.blocks.kernel;

import java.util.List;

/**
 * How many tokens a warp of a short convolution walks ({@code short_convolution.cu}).
 *
 * @param rows B
 * @param tokens T
 * @param slices of the channels, a launch each
 * @param warps of a block, each with a run of its own
 * @param multiprocessors of the device
 */
record ConvolutionRuns(
        long rows, long tokens, List<ConvolutionSlice> slices, int warps, int multiprocessors) {

    /** Forward, short runs are best, since they end together. */
    private static final int LONGEST_FORWARD = 32;

    private static final int LONGEST_BACKWARD = 256;
    private static final int SHORTEST = 8;

    /** What a run costs on the way back beside its tokens, in tokens: sums, and those behind it. */
    private static final int COST = 12;

    /** Warps that fill a multiprocessor. */
    private static final int FULL_WARPS = 16;

    /** Blocks of runs over all rows. */
    long blocks(int run) {
        long size = (long) warps * run;
        return rows * ((tokens + size - 1) / size);
    }

    int forward() {
        long wanted = (long) FULL_WARPS * multiprocessors;
        long groups = slices.stream().mapToLong(ConvolutionSlice::groups).sum();
        int run = LONGEST_FORWARD;
        while (run > SHORTEST && groups * warps * blocks(run) < wanted) {
            run /= 2;
        }
        return run;
    }

    /**
     * The run whose blocks take the least time, wave by wave; the same for all slices, so that
     * their sums fit together.
     */
    int backward() {
        int best = SHORTEST;
        long least = Long.MAX_VALUE;
        for (int run = SHORTEST; run <= LONGEST_BACKWARD; run += SHORTEST) {
            long cost = waves(run) * (run + COST);
            if (cost < least) {
                best = run;
                least = cost;
            }
        }
        return best;
    }

    private long waves(int run) {
        long waves = 0;
        for (ConvolutionSlice slice : slices) {
            long slots = (long) slice.blocksOfMultiprocessor() * multiprocessors;
            waves += (slice.groups() * blocks(run) + slots - 1) / slots;
        }
        return waves;
    }
}
