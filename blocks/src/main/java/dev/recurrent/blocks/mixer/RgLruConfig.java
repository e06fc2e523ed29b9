package dev.recurrent.blocks.mixer;

import dev.recurrent.blocks.nn.Initialization;

/**
 * Griffin's recurrent block around the RG-LRU (arXiv 2402.19427, section 2.4; {@code
 * RecurrentBlock} of google-deepmind/recurrentgemma).
 *
 * @param recurrenceWidth E
 * @param gateBlocks number of blocks in the block-diagonal gates
 * @param taps W of the convolution
 */
public record RgLruConfig(long recurrenceWidth, long gateBlocks, int taps) implements MixerConfig {

    /** Checks the values. */
    public RgLruConfig {
        if (recurrenceWidth < 1 || gateBlocks < 1 || recurrenceWidth % gateBlocks != 0) {
            throw new IllegalArgumentException(
                    "recurrenceWidth "
                            + recurrenceWidth
                            + " must be a multiple of gateBlocks "
                            + gateBlocks);
        }
        if (taps < 1) {
            throw new IllegalArgumentException("taps must be >= 1, not " + taps);
        }
    }

    @Override
    public RgLru create(long width, Initialization initialization) {
        return new RgLru(width, this, initialization);
    }
}
