package dev.recurrent.zoo.naming;

import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import java.util.List;

/** transformers' OLMo-Hybrid. */
public final class OlmoNames {

    private OlmoNames() {}

    /**
     * Returns the names of a model's weights.
     *
     * @param model a model of Gated DeltaNet layers and attention layers with post-norms
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
        return map.build();
    }

    private static void layer(
            NameMap.Builder map, String upstream, String ours, LayerConfig layer) {
        boolean attends = layer.mixer() instanceof AttentionConfig;
        String mixer = ours + "mixer.";
        if (layer.mixer() instanceof AttentionConfig attention) {
            LayerNames.attention(map, upstream + "self_attn.", mixer, attention);
        } else {
            DeltaNetConfig delta = (DeltaNetConfig) layer.mixer();
            String linear = upstream + "linear_attn.";
            LayerNames.deltaNet(map, linear, mixer, delta);
            String convolution = mixer + "qkv_conv1d.weight";
            map.bindAll(
                    List.of(UpstreamTensor.of(linear + "conv1d.weight", convolution)),
                    // Earlier transformers kept q, k and v apart.
                    LayerNames.split(linear, "_conv1d.weight", convolution, delta));
        }
        // The same name is the norm after attention in one kind of layer, before the MLP in the
        // other.
        String mixerNorm = attends ? "post_attention_layernorm" : "input_layernorm";
        String mlpNorm = attends ? "post_feedforward_layernorm" : "post_attention_layernorm";
        map.bind(upstream + mixerNorm + ".weight", ours + "mixer_norm.weight");
        map.bind(upstream + mlpNorm + ".weight", ours + "mlp_norm.weight");
        LayerNames.mlp(map, upstream + "mlp.", ours + "mlp.", false);
    }
}
