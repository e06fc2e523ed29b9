package dev.recurrent.zoo.naming;

import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import java.util.List;

/** transformers' RecurrentGemma. */
public final class RecurrentGemmaNames {

    private static final List<String> RG_LRU =
            List.of(
                    "recurrent_param",
                    "input_gate_weight",
                    "input_gate_bias",
                    "recurrent_gate_weight",
                    "recurrent_gate_bias");

    private RecurrentGemmaNames() {}

    /**
     * Returns the names of a model's weights.
     *
     * @param model a model of RG-LRU and attention layers
     * @return its name map
     */
    public static NameMap of(LanguageModelConfig model) {
        NameMap.Builder map = new NameMap.Builder();
        map.bind("model.embed_tokens.weight", "embedding.weight");
        for (int i = 0; i < model.layers().size(); i++) {
            layer(map, "model.layers." + i + ".", "layers." + i + ".", model.layers().get(i));
        }
        map.bind("model.final_norm.weight", "norm.weight");
        HeadNames.head(map, model);
        return map.build();
    }

    private static void layer(
            NameMap.Builder map, String upstream, String ours, LayerConfig layer) {
        map.bind(upstream + "temporal_pre_norm.weight", ours + "mixer_norm.weight");
        String temporal = upstream + "temporal_block.";
        String mixer = ours + "mixer.";
        if (layer.mixer() instanceof AttentionConfig attention) {
            LayerNames.attention(map, temporal, mixer, attention);
        } else {
            for (String name : List.of("linear_x", "linear_y", "conv_1d", "linear_out")) {
                LayerNames.projection(map, temporal + name, mixer + name, true);
            }
            for (String name : RG_LRU) {
                map.bind(temporal + "rg_lru." + name, mixer + "rg_lru." + name);
            }
        }
        map.bind(upstream + "channel_pre_norm.weight", ours + "mlp_norm.weight");
        LayerNames.mlp(map, upstream + "mlp_block.", ours + "mlp.", true);
    }
}
