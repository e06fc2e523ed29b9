package dev.recurrent.zoo.config;

import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.AttentionConfig.QueryKeyNorm;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.zoo.naming.NameMap;
import dev.recurrent.zoo.naming.QwenNames;
import java.util.List;

/**
 * {@code transformers.Qwen3_5TextConfig}, also where it is nested in {@code Qwen3_5Config}: of a
 * model with a vision tower the text model is read.
 */
final class Qwen35Format implements ModelFormat {

    static final String TYPE = "qwen3_5_text";

    private static final String WHOLE_TYPE = "qwen3_5";
    private static final String TEXT = "text_config";
    private static final double ROTARY_FACTOR = 0.25;
    private static final LinearAttentionKeys.Defaults HEADS =
            new LinearAttentionKeys.Defaults(16, 32, 128, 128);

    /** Returns the text model's keys of a whole model's; other models' keys as they are. */
    static JsonObject textModel(JsonObject json) {
        if (!json.has("model_type")
                || !json.get("model_type").isJsonPrimitive()
                || !json.get("model_type").getAsString().equals(WHOLE_TYPE)) {
            return json;
        }
        JsonObject text = json.deepCopy();
        if (text.remove(TEXT) instanceof JsonObject nested) {
            text.remove("vision_config");
            nested.asMap().forEach(text::add);
            // The whole model's word counts: its head is the one that is tied or not.
            if (json.has("tie_word_embeddings")) {
                text.add("tie_word_embeddings", json.get("tie_word_embeddings"));
            }
        }
        text.addProperty("model_type", TYPE);
        return text;
    }

    @Override
    public String architecture() {
        return "Qwen3_5ForCausalLM";
    }

    @Override
    public SpecialTokens defaultTokens() {
        return SpecialTokens.NONE;
    }

    @Override
    public long defaultMaxPositions() {
        return 32_768;
    }

    @Override
    public LanguageModelConfig read(ConfigKeys keys) throws ConfigException {
        keys.mustBe("attn_output_gate", true);
        int depth = keys.depth(32);
        NormConfig norm = NormConfig.zeroCentred(keys.positive("rms_norm_eps", 1e-6));
        MlpConfig mlp = LinearAttentionKeys.mlp(keys, 12_288);
        DeltaNetConfig linear = LinearAttentionKeys.read(keys, HEADS, false, norm.epsilon());
        List<LayerConfig> layers =
                LayerTypes.read(
                        keys,
                        depth,
                        keys.count("full_attention_interval", 4),
                        new LayerConfig(linear, mlp),
                        new LayerConfig(attention(keys, norm), mlp));
        return new LanguageModelConfig(
                keys.count("hidden_size", 4096),
                keys.count("vocab_size", 248_320),
                norm,
                layers,
                keys.flag("tie_word_embeddings", false),
                Initialization.normal(keys.positive("initializer_range", 0.02)));
    }

    private static AttentionConfig attention(ConfigKeys keys, NormConfig norm)
            throws ConfigException {
        long headDim = keys.count("head_dim", 256);
        boolean bias = keys.flag("attention_bias", false);
        RopeKeys rope = new RopeKeys(keys);
        return new AttentionConfig(
                keys.count("num_attention_heads", 16),
                keys.count("num_key_value_heads", 4),
                headDim,
                0,
                rope.rotaryDim(headDim, ROTARY_FACTOR),
                rope.theta(),
                bias,
                bias,
                QueryKeyNorm.HEAD,
                norm,
                true);
    }

    @Override
    public JsonObject write(LanguageModelConfig model, long maxPositions) {
        Unwritable.unless(
                model.norm().zeroCentred()
                        && model.layers().stream().noneMatch(LayerConfig::postNorm),
                TYPE,
                "zero-centred norms before mixers and MLPs");
        DeltaNetConfig linear = LinearAttentionKeys.linear(model, TYPE);
        Unwritable.unless(
                !linear.negativeEigenvalues() && linear.epsilon() == model.norm().epsilon(),
                TYPE,
                "no negative eigenvalues and the same epsilon in all norms");
        AttentionConfig full = LinearAttentionKeys.full(model, TYPE);
        Unwritable.unless(
                full.queryKeyNorm() == QueryKeyNorm.HEAD
                        && full.norm().equals(model.norm())
                        && full.outputGate()
                        && full.window() == 0
                        && full.rotaryDim() > 0
                        && full.projectionBias() == full.outputBias(),
                TYPE,
                "global, rotated attention with norms over heads and an output gate");
        JsonObject json = LinearAttentionKeys.write(model, linear, TYPE);
        LinearAttentionKeys.writeHeads(json, full);
        RopeKeys.write(json, full.rotaryTheta(), (double) full.rotaryDim() / full.headDim());
        return json;
    }

    @Override
    public NameMap names(LanguageModelConfig model) {
        return QwenNames.of(model);
    }
}
