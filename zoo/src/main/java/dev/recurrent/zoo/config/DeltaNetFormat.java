package dev.recurrent.zoo.config;

import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig.QueryKeyNorm;
import dev.recurrent.blocks.nn.Activation;
import java.util.Map;

/** {@code fla.models.DeltaNetConfig}, pure and with attention layers. */
final class DeltaNetFormat implements FlaFormat {

    static final String TYPE = "delta_net";

    private static final Map<String, QueryKeyNorm> NORMS =
            Map.of("l2", QueryKeyNorm.L2, "sum", QueryKeyNorm.SUM);
    private static final Map<String, Activation> ACTIVATIONS =
            Map.of(
                    "silu", Activation.SILU,
                    "relu", Activation.RELU,
                    "elu", Activation.ELU_PLUS_ONE,
                    "identity", Activation.IDENTITY);

    @Override
    public String architecture() {
        return "DeltaNetForCausalLM";
    }

    @Override
    public LanguageModelConfig read(ConfigKeys keys) throws ConfigException {
        keys.mustBe("use_output_norm", true);
        long width = FlaKeys.width(keys);
        long heads = keys.count("num_heads", 16);
        DeltaNetConfig mixer =
                DeltaNetConfig.deltaNet()
                        .setHeads(heads)
                        .setHeadDims(
                                headDim(keys, "expand_k", width, heads),
                                headDim(keys, "expand_v", width, heads))
                        .optConvolution(taps(keys), false)
                        .optQueryKeyActivation(keys.choice("qk_activation", "silu", ACTIVATIONS))
                        .optQueryKeyNorm(keys.choice("qk_norm", "l2", NORMS))
                        .optBeta(keys.flag("use_beta", true))
                        .optNegativeEigenvalues(keys.flag("allow_neg_eigval", false))
                        .optOutputGate(keys.flag("use_gate", false))
                        .optEpsilon(keys.positive("norm_eps", 1e-6))
                        .build();
        return FlaKeys.read(keys, 24, layer -> mixer);
    }

    private static long headDim(ConfigKeys keys, String key, long width, long heads)
            throws ConfigException {
        long all = (long) (width * keys.positive(key, 1));
        if (all < 1 || all % heads != 0) {
            throw keys.wrong(
                    key, "hidden_size " + width + " times it a multiple of num_heads " + heads);
        }
        return all / heads;
    }

    /** Taps of the short convolutions; 0 for none. */
    static int taps(ConfigKeys keys) throws ConfigException {
        return keys.flag("use_short_conv", true) ? keys.smallCount("conv_size", 4) : 0;
    }

    @Override
    public JsonObject write(LanguageModelConfig model, long maxPositions) {
        JsonObject json = FlaKeys.write(model, TYPE);
        DeltaNetConfig mixer =
                Unwritable.common(
                        Unwritable.mixers(model, DeltaNetConfig.class),
                        config -> config,
                        TYPE,
                        "DeltaNet configuration for all layers");
        Unwritable.unless(
                !mixer.gated() && mixer.valueHeads() == mixer.heads(),
                TYPE,
                "layers without decay and value-head groups");
        Unwritable.unless(
                mixer.epsilon() == model.norm().epsilon(), TYPE, "the same epsilon in all norms");
        double width = model.width();
        json.addProperty("num_heads", mixer.heads());
        json.addProperty("expand_k", mixer.heads() * mixer.keyDim() / width);
        json.addProperty("expand_v", mixer.heads() * mixer.valueDim() / width);
        writeTaps(json, mixer, TYPE);
        json.addProperty("qk_activation", name(ACTIVATIONS, mixer.queryKeyActivation(), TYPE));
        json.addProperty("qk_norm", name(NORMS, mixer.queryKeyNorm(), TYPE));
        json.addProperty("use_beta", mixer.beta());
        json.addProperty("allow_neg_eigval", mixer.negativeEigenvalues());
        json.addProperty("use_gate", mixer.outputGate());
        json.addProperty("use_output_norm", true);
        return json;
    }

    static void writeTaps(JsonObject json, DeltaNetConfig mixer, String type) {
        Unwritable.unless(!mixer.convolutionBias(), type, "convolutions without biases");
        json.addProperty("use_short_conv", mixer.taps() > 0);
        if (mixer.taps() > 0) {
            json.addProperty("conv_size", mixer.taps());
        }
    }

    private static <T> String name(Map<String, T> names, T value, String type) {
        return names.entrySet().stream()
                .filter(entry -> entry.getValue() == value)
                .map(Map.Entry::getKey)
                .findFirst()
                .orElseThrow(
                        () -> new IllegalArgumentException(type + " has no name for " + value));
    }
}
