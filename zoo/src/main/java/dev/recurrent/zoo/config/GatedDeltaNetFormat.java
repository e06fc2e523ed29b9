package dev.recurrent.zoo.config;

import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig.QueryKeyNorm;
import dev.recurrent.blocks.nn.Activation;

/** {@code fla.models.GatedDeltaNetConfig}, pure and with attention layers (H1). */
final class GatedDeltaNetFormat implements FlaFormat {

    static final String TYPE = "gated_deltanet";
    static final int DEPTH = 21;

    @Override
    public String architecture() {
        return "GatedDeltaNetForCausalLM";
    }

    @Override
    public LanguageModelConfig read(ConfigKeys keys) throws ConfigException {
        DeltaNetConfig mixer = readMixer(keys);
        return FlaKeys.read(keys, DEPTH, layer -> mixer);
    }

    static DeltaNetConfig readMixer(ConfigKeys keys) throws ConfigException {
        long heads = keys.count("num_heads", 6);
        long keyDim = keys.count("head_dim", 256);
        double valueDim = keyDim * keys.positive("expand_v", 2);
        // Upstream truncates after checking for closeness: 12 · 1.6666667 is meant to be 20.
        if (Math.abs(valueDim - Math.rint(valueDim)) > 1e-5 * valueDim || valueDim < 0.5) {
            throw keys.wrong("expand_v", "head_dim " + keyDim + " times it a whole number");
        }
        return DeltaNetConfig.gatedDeltaNet()
                .setHeads(heads)
                .optValueHeads(keys.count("num_v_heads", heads))
                .setHeadDims(keyDim, Math.round(valueDim))
                .optConvolution(DeltaNetFormat.taps(keys), false)
                .optNegativeEigenvalues(keys.flag("allow_neg_eigval", false))
                .optOutputGate(keys.flag("use_gate", true))
                .optEpsilon(keys.positive("norm_eps", 1e-6))
                .build();
    }

    @Override
    public JsonObject write(LanguageModelConfig model, long maxPositions) {
        JsonObject json = FlaKeys.write(model, TYPE);
        writeMixer(model, TYPE).asMap().forEach(json::add);
        return json;
    }

    static JsonObject writeMixer(LanguageModelConfig model, String type) {
        DeltaNetConfig mixer =
                Unwritable.common(
                        Unwritable.mixers(model, DeltaNetConfig.class),
                        config -> config,
                        type,
                        "Gated DeltaNet configuration for all layers");
        Unwritable.unless(
                mixer.gated()
                        && mixer.beta()
                        && mixer.queryKeyActivation() == Activation.SILU
                        && mixer.queryKeyNorm() == QueryKeyNorm.L2,
                type,
                "gated layers with learned beta, SiLU and L2 norms on queries and keys");
        Unwritable.unless(
                mixer.epsilon() == model.norm().epsilon(), type, "the same epsilon in all norms");
        JsonObject json = new JsonObject();
        json.addProperty("num_heads", mixer.heads());
        json.addProperty("num_v_heads", mixer.valueHeads());
        json.addProperty("head_dim", mixer.keyDim());
        json.addProperty("expand_v", (double) mixer.valueDim() / mixer.keyDim());
        DeltaNetFormat.writeTaps(json, mixer, type);
        json.addProperty("allow_neg_eigval", mixer.negativeEigenvalues());
        json.addProperty("use_gate", mixer.outputGate());
        return json;
    }
}
