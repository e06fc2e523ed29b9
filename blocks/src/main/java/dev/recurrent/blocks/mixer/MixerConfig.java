package dev.recurrent.blocks.mixer;

import dev.recurrent.blocks.nn.Initialization;

/** What distinguishes one mixer from another, apart from the width of the model it stands in. */
public sealed interface MixerConfig
        permits DeltaNetConfig, RgLruConfig, Mamba2Config, AttentionConfig {

    /**
     * Builds the mixer.
     *
     * @param width D
     * @param initialization how its weights start
     * @return a mixer without parameter values yet
     */
    SequenceMixer create(long width, Initialization initialization);
}
