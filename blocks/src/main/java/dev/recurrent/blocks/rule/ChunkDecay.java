package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.torch.Aten;

/**
 * How much of one token reaches another within chunks, from gates and document starts together.
 * Without both, only {@code pairs} is there.
 *
 * @param pairs D, from token j to token i ≥ j, else zero, broadcasts to [M, G, C, C]
 * @param fromStart e, from the chunk's start, broadcasts to [M, G, C, 1]; null for one
 * @param toEnd r, to the chunk's end, broadcasts to [M, G, C, 1]; null for one
 * @param across e_C, from start to end, broadcasts to [M, G, 1, 1]; null for one
 */
record ChunkDecay(NDArray pairs, NDArray fromStart, NDArray toEnd, NDArray across) {

    /**
     * Computes decays.
     *
     * @param gates g, zero at padding, [M, G, C, 1]; null for zero everywhere
     * @param masks of the positions
     * @return the decays
     */
    static ChunkDecay of(NDArray gates, ChunkMasks masks) {
        if (gates == null) {
            NDArray sees = masks.sees();
            return sees == null
                    ? new ChunkDecay(masks.pairs(), null, null, null)
                    : new ChunkDecay(masks.pairs(), sees, masks.reaches(), last(sees));
        }
        NDArray sums = masks.sums(gates); // [M, G, C, 1]
        NDArray row = sums.transpose(0, 1, 3, 2); // [M, G, 1, C]
        // Masked before exp, where a sum over what is masked may overflow.
        NDArray pairs = sums.sub(row).addi(masks.logPairs()).exp(); // [M, G, C, C]
        NDArray fromStart = sums.exp();
        NDArray left = last(sums).sub(sums);
        if (masks.sees() != null) {
            fromStart = fromStart.mul(masks.sees());
            left = left.add(masks.logReaches());
        }
        return new ChunkDecay(pairs, fromStart, left.exp(), last(fromStart));
    }

    private static NDArray last(NDArray column) {
        long c = column.getShape().get(2);
        return Aten.narrow(column, 2, c - 1, 1);
    }
}
