package dev.recurrent.zoo.naming;

import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;

/** transformers' Qwen3.5, the text model. */
public final class QwenNames {

    private QwenNames() {}

    /**
     * Returns the names of a model's weights.
     *
     * @param model a model of Gated DeltaNet and attention layers
     * @return its name map
     */
    public static NameMap of(LanguageModelConfig model) {
        NameMap.Builder map = new NameMap.Builder();
        map.bind("model.embed_tokens.weight", "embedding.weight");
        for (int i = 0; i < model.layers().size(); i++) {
            layer(map, "model.layers." + i + ".", "layers." + i + ".", model.layers().get(i));
        }
        map.bind("model.norm.weight", "norm.weight");
        HeadNames.head(map, model);
        // Files of the whole model also hold its vision tower and multi-token prediction.
        map.rename("model.language_model.", "model.");
        return map.ignore("model\\.visual\\..*").ignore("mtp\\..*").build();
    }

    private static void layer(
            NameMap.Builder map, String upstream, String ours, LayerConfig layer) {
        map.bind(upstream + "input_layernorm.weight", ours + "mixer_norm.weight");
        String mixer = ours + "mixer.";
        if (layer.mixer() instanceof AttentionConfig attention) {
            LayerNames.attention(map, upstream + "self_attn.", mixer, attention);
        } else {
            linearAttention(map, upstream + "linear_attn.", mixer);
        }
        map.bind(upstream + "post_attention_layernorm.weight", ours + "mlp_norm.weight");
        LayerNames.mlp(map, upstream + "mlp.", ours + "mlp.", false);
    }

    private static void linearAttention(NameMap.Builder map, String upstream, String mixer) {
        map.bind(upstream + "in_proj_qkv.weight", mixer + "qkv_proj.weight");
        map.bind(upstream + "conv1d.weight", mixer + "qkv_conv1d.weight");
        map.bind(upstream + "in_proj_z.weight", mixer + "g_proj.weight");
        map.bind(upstream + "in_proj_b.weight", mixer + "b_proj.weight");
        map.bind(upstream + "in_proj_a.weight", mixer + "a_proj.weight");
        map.bind(upstream + "A_log", mixer + "A_log");
        map.bind(upstream + "dt_bias", mixer + "dt_bias");
        map.bind(upstream + "norm.weight", mixer + "o_norm.weight");
        map.bind(upstream + "out_proj.weight", mixer + "o_proj.weight");
    }
}
