package dev.recurrent.blocks.mixer;

import dev.recurrent.blocks.nn.Initialization;

/** Placeholder. */
public final class GatedDeltaNet extends DeltaNet {

    public GatedDeltaNet(long width, DeltaNetConfig config, Initialization initialization) {
        super(width, config, initialization);
    }
}
