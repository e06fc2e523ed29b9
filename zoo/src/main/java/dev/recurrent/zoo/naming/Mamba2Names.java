package dev.recurrent.zoo.naming;

import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;

/** Mamba-2 models, alike in transformers and flash-linear-attention. */
public final class Mamba2Names {

    private Mamba2Names() {}

    /**
     * Returns the names of a model's weights.
     *
     * @param model a model of Mamba-2 layers
     * @return its name map
     */
    public static NameMap of(LanguageModelConfig model) {
        NameMap.Builder map = new NameMap.Builder();
        map.bind("backbone.embeddings.weight", "embedding.weight");
        map.rename("backbone.embedding.", "backbone.embeddings.");
        for (int i = 0; i < model.layers().size(); i++) {
            String upstream = "backbone.layers." + i + ".";
            String ours = "layers." + i + ".";
            map.bind(upstream + "norm.weight", ours + "mixer_norm.weight");
            LayerNames.mamba2(
                    map,
                    upstream + "mixer.",
                    ours + "mixer.",
                    (Mamba2Config) model.layers().get(i).mixer());
        }
        map.bind("backbone.norm_f.weight", "norm.weight");
        HeadNames.head(map, model);
        return map.build();
    }
}
