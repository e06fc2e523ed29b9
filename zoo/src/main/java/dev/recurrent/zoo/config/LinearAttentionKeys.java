package dev.recurrent.zoo.config;

import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig.QueryKeyNorm;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.MlpConfig;
import java.util.Map;

/** The keys that transformers' hybrids of Gated DeltaNet and attention share. */
final class LinearAttentionKeys {

    private LinearAttentionKeys() {}

    /** Heads and their dimensions where a configuration does not say. */
    record Defaults(long keyHeads, long valueHeads, long keyDim, long valueDim) {}

    static DeltaNetConfig read(
            ConfigKeys keys, Defaults defaults, boolean negativeEigenvalues, double epsilon)
            throws ConfigException {
        return DeltaNetConfig.gatedDeltaNet()
                .setHeads(keys.count("linear_num_key_heads", defaults.keyHeads()))
                .optValueHeads(keys.count("linear_num_value_heads", defaults.valueHeads()))
                .setHeadDims(
                        keys.count("linear_key_head_dim", defaults.keyDim()),
                        keys.count("linear_value_head_dim", defaults.valueDim()))
                .optConvolution(keys.smallCount("linear_conv_kernel_dim", 4), false)
                .optNegativeEigenvalues(negativeEigenvalues)
                .optEpsilon(epsilon)
                .build();
    }

    static MlpConfig mlp(ConfigKeys keys, long fallback) throws ConfigException {
        Activation activation = keys.choice("hidden_act", "silu", Map.of("silu", Activation.SILU));
        return new MlpConfig(keys.count("intermediate_size", fallback), activation, false);
    }

    /** Writes the residual stream, the MLP and the linear-attention layers. */
    static JsonObject write(LanguageModelConfig model, DeltaNetConfig mixer, String type) {
        Unwritable.unless(
                model.embeddingScale() == 1 && model.softCap() == 0,
                type,
                "no embedding scale and no soft cap");
        Unwritable.unless(
                mixer.gated()
                        && mixer.beta()
                        && mixer.outputGate()
                        && mixer.taps() > 0
                        && !mixer.convolutionBias()
                        && mixer.queryKeyActivation() == Activation.SILU
                        && mixer.queryKeyNorm() == QueryKeyNorm.L2,
                type,
                "gated layers with convolutions, SiLU and L2 norms on queries and keys");
        JsonObject json = StreamKeys.write(model, type);
        json.addProperty("hidden_act", "silu");
        json.addProperty("rms_norm_eps", model.norm().epsilon());
        json.add("layer_types", LayerTypes.write(model));
        json.addProperty("linear_num_key_heads", mixer.heads());
        json.addProperty("linear_num_value_heads", mixer.valueHeads());
        json.addProperty("linear_key_head_dim", mixer.keyDim());
        json.addProperty("linear_value_head_dim", mixer.valueDim());
        json.addProperty("linear_conv_kernel_dim", mixer.taps());
        return json;
    }

    /** Returns the one configuration of all linear-attention layers. */
    static DeltaNetConfig linear(LanguageModelConfig model, String type) {
        return Unwritable.common(
                Unwritable.mixers(model, DeltaNetConfig.class),
                mixer -> mixer,
                type,
                "kind of linear-attention layer");
    }

    /** Returns the one configuration of all attention layers. */
    static AttentionConfig full(LanguageModelConfig model, String type) {
        return Unwritable.common(
                Unwritable.mixers(model, AttentionConfig.class),
                mixer -> mixer,
                type,
                "kind of attention layer");
    }

    static void writeHeads(JsonObject json, AttentionConfig mixer) {
        json.addProperty("num_attention_heads", mixer.heads());
        json.addProperty("num_key_value_heads", mixer.keyValueHeads());
        json.addProperty("head_dim", mixer.headDim());
        json.addProperty("attention_bias", mixer.projectionBias());
    }
}
