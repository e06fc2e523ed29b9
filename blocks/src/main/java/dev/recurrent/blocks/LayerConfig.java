package dev.recurrent.blocks;

import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.nn.MlpConfig;

/**
 * One layer of a model.
 *
 * @param mixer what carries information along time
 * @param mlp what follows it; null for none
 * @param postNorm whether norms stand after mixer and MLP instead of before
 */
public record LayerConfig(MixerConfig mixer, MlpConfig mlp, boolean postNorm) {

    /** A layer with norms before mixer and MLP. */
    public LayerConfig(MixerConfig mixer, MlpConfig mlp) {
        this(mixer, mlp, false);
    }
}
