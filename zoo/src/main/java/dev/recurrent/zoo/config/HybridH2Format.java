package dev.recurrent.zoo.config;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import java.util.List;

/**
 * Gated DeltaNet-H2 (arXiv 2412.06464): Mamba-2, Gated DeltaNet and attention layers. No upstream
 * has a format for it; this one is {@code gated_deltanet} with a key {@code mamba2} beside {@code
 * attn}, whose {@code layers} are Mamba-2 mixers with the keys of upstream's Mamba-2.
 */
final class HybridH2Format implements FlaFormat {

    static final String TYPE = "gated_deltanet_h2";

    @Override
    public String architecture() {
        return "GatedDeltaNetH2ForCausalLM";
    }

    @Override
    public LanguageModelConfig read(ConfigKeys keys) throws ConfigException {
        DeltaNetConfig delta = GatedDeltaNetFormat.readMixer(keys);
        ConfigKeys mamba2 = keys.object("mamba2");
        Mamba2Config mamba =
                Mamba2Format.readMixer(
                        mamba2, FlaKeys.width(keys), keys.positive("norm_eps", 1e-6));
        List<Integer> layers = mamba2.layers("layers", keys.depth(GatedDeltaNetFormat.DEPTH));
        return FlaKeys.read(
                keys, GatedDeltaNetFormat.DEPTH, layer -> layers.contains(layer) ? mamba : delta);
    }

    @Override
    public JsonObject write(LanguageModelConfig model, long maxPositions) {
        JsonObject json = FlaKeys.write(model, TYPE);
        GatedDeltaNetFormat.writeMixer(model, TYPE).asMap().forEach(json::add);
        Mamba2Config mamba =
                Unwritable.common(
                        Unwritable.mixers(model, Mamba2Config.class),
                        config -> config,
                        TYPE,
                        "Mamba-2 configuration for all layers");
        Unwritable.unless(
                mamba.epsilon() == model.norm().epsilon(), TYPE, "the same epsilon in all norms");
        Unwritable.unless(
                mamba.normGroups() == mamba.groups(), TYPE, "output norms over each group");
        JsonObject mamba2 = new JsonObject();
        JsonArray layers = new JsonArray();
        Unwritable.indices(model, Mamba2Config.class).forEach(layers::add);
        mamba2.add("layers", layers);
        Mamba2Format.writeMixer(mamba, model.width(), TYPE).asMap().forEach(mamba2::add);
        json.add("mamba2", mamba2);
        return json;
    }
}
