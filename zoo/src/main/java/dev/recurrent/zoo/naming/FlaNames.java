package dev.recurrent.zoo.naming;

import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.zoo.naming.UpstreamTensor.Part;
import java.util.List;

/** flash-linear-attention's DeltaNet and Gated DeltaNet models, and H2 in the same scheme. */
public final class FlaNames {

    private FlaNames() {}

    /**
     * Returns the names of a model's weights.
     *
     * @param model the model
     * @return its name map
     */
    public static NameMap of(LanguageModelConfig model) {
        NameMap.Builder map = new NameMap.Builder();
        map.bind("model.embeddings.weight", "embedding.weight");
        for (int i = 0; i < model.layers().size(); i++) {
            String upstream = "model.layers." + i + ".";
            String ours = "layers." + i + ".";
            map.bind(upstream + "attn_norm.weight", ours + "mixer_norm.weight");
            mixer(map, upstream + "attn.", ours + "mixer.", model.layers().get(i).mixer());
            map.bind(upstream + "mlp_norm.weight", ours + "mlp_norm.weight");
            mlp(map, upstream + "mlp.", ours + "mlp.");
        }
        map.bind("model.norm.weight", "norm.weight");
        HeadNames.head(map, model);
        // A skip weight that early files carry and no version of the layer used.
        return map.ignore("model\\.layers\\.\\d+\\.attn\\.D").build();
    }

    private static void mixer(
            NameMap.Builder map, String upstream, String ours, MixerConfig config) {
        if (config instanceof DeltaNetConfig delta) {
            LayerNames.deltaNet(map, upstream, ours, delta);
            convolutions(map, upstream, ours, delta);
        } else if (config instanceof AttentionConfig attention) {
            LayerNames.attention(map, upstream, ours, attention);
        } else if (config instanceof Mamba2Config mamba) {
            LayerNames.mamba2(map, upstream, ours, mamba);
        } else if (config instanceof RgLruConfig) {
            throw new IllegalArgumentException("flash-linear-attention has no name for an RG-LRU");
        }
    }

    private static void convolutions(
            NameMap.Builder map, String upstream, String ours, DeltaNetConfig config) {
        if (config.taps() == 0) {
            return;
        }
        map.bindAll(
                LayerNames.split(upstream, "_conv1d.weight", ours + "qkv_conv1d.weight", config));
        if (config.convolutionBias()) {
            map.bindAll(
                    LayerNames.split(upstream, "_conv1d.bias", ours + "qkv_conv1d.bias", config));
        }
    }

    private static void mlp(NameMap.Builder map, String upstream, String ours) {
        String gate = upstream + "gate_proj.weight";
        Part ourGate = Part.of(ours + "gate_proj.weight");
        Part ourUp = Part.of(ours + "up_proj.weight");
        map.bindAll(
                List.of(
                        new UpstreamTensor(gate, List.of(ourGate)),
                        new UpstreamTensor(upstream + "up_proj.weight", List.of(ourUp))),
                // Before February 2025 one tensor held both.
                List.of(new UpstreamTensor(gate, List.of(ourGate, ourUp))));
        map.bind(upstream + "down_proj.weight", ours + "down_proj.weight");
    }
}
