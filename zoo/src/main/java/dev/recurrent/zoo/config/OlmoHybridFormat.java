package dev.recurrent.zoo.config;

import com.google.gson.JsonNull;
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
import dev.recurrent.zoo.naming.OlmoNames;
import java.util.List;

/**
 * {@code transformers.OlmoHybridConfig}. Attention layers have their norms behind mixer and MLP,
 * and rotate only where {@code rope_parameters} gives wavelengths (released files do not).
 */
final class OlmoHybridFormat implements ModelFormat {

    static final String TYPE = "olmo_hybrid";

    /** Upstream's gated norm takes its own default, whatever the configuration says. */
    private static final double GATED_NORM_EPSILON = 1e-5;

    @Override
    public String architecture() {
        return "OlmoHybridForCausalLM";
    }

    @Override
    public SpecialTokens defaultTokens() {
        return SpecialTokens.of(null, 100_257, 100_277);
    }

    @Override
    public long defaultMaxPositions() {
        return 65_536;
    }

    @Override
    public LanguageModelConfig read(ConfigKeys keys) throws ConfigException {
        keys.mustBe("linear_use_gate", true);
        long width = keys.count("hidden_size", 3840);
        int depth = keys.depth(32);
        NormConfig norm = NormConfig.plain(keys.positive("rms_norm_eps", 1e-6));
        MlpConfig mlp = LinearAttentionKeys.mlp(keys, 11_008);
        List<LayerConfig> layers =
                LayerTypes.read(
                        keys,
                        depth,
                        4,
                        new LayerConfig(linear(keys, width), mlp),
                        new LayerConfig(attention(keys, width, norm), mlp, true));
        return new LanguageModelConfig(
                width,
                keys.count("vocab_size", 100_352),
                norm,
                layers,
                keys.flag("tie_word_embeddings", false),
                Initialization.normal(keys.positive("initializer_range", 0.02)));
    }

    private static DeltaNetConfig linear(ConfigKeys keys, long width) throws ConfigException {
        long heads = keys.count("num_attention_heads", 30);
        long keyHeads = keys.count("linear_num_key_heads", heads);
        long keyDim = keys.count("linear_key_head_dim", Math.max(1, 3 * width / (4 * keyHeads)));
        return LinearAttentionKeys.read(
                keys,
                new LinearAttentionKeys.Defaults(heads, heads, keyDim, 2 * keyDim),
                keys.flag("linear_allow_neg_eigval", true),
                GATED_NORM_EPSILON);
    }

    private static AttentionConfig attention(ConfigKeys keys, long width, NormConfig norm)
            throws ConfigException {
        long heads = keys.count("num_attention_heads", 30);
        if (!keys.has("head_dim") && width % heads != 0) {
            throw keys.wrong("num_attention_heads", "a divisor of hidden_size " + width);
        }
        long headDim = keys.count("head_dim", Math.max(1, width / heads));
        boolean bias = keys.flag("attention_bias", false);
        RopeKeys rope = new RopeKeys(keys);
        return new AttentionConfig(
                heads,
                keys.count("num_key_value_heads", heads),
                headDim,
                0,
                rope.hasTheta() ? headDim : 0,
                rope.theta(),
                bias,
                bias,
                QueryKeyNorm.WIDTH,
                norm,
                false);
    }

    @Override
    public JsonObject write(LanguageModelConfig model, long maxPositions) {
        Unwritable.unless(!model.norm().zeroCentred(), TYPE, "plain norms");
        Unwritable.unless(
                model.layers().stream()
                        .allMatch(
                                layer ->
                                        layer.postNorm()
                                                == layer.mixer() instanceof AttentionConfig),
                TYPE,
                "norms behind attention and before Gated DeltaNet");
        DeltaNetConfig linear = LinearAttentionKeys.linear(model, TYPE);
        Unwritable.unless(
                linear.epsilon() == GATED_NORM_EPSILON, TYPE, "gated norms of epsilon 1e-5");
        AttentionConfig full = LinearAttentionKeys.full(model, TYPE);
        Unwritable.unless(
                full.queryKeyNorm() == QueryKeyNorm.WIDTH
                        && full.norm().equals(model.norm())
                        && !full.outputGate()
                        && full.window() == 0
                        && (full.rotaryDim() == 0 || full.rotaryDim() == full.headDim())
                        && full.projectionBias() == full.outputBias(),
                TYPE,
                "global attention with norms over all heads, rotated whole or not at all");
        JsonObject json = LinearAttentionKeys.write(model, linear, TYPE);
        json.addProperty("linear_allow_neg_eigval", linear.negativeEigenvalues());
        LinearAttentionKeys.writeHeads(json, full);
        json.add("rope_parameters", JsonNull.INSTANCE);
        if (full.rotaryDim() > 0) {
            RopeKeys.write(json, full.rotaryTheta(), 1);
        }
        return json;
    }

    @Override
    public NameMap names(LanguageModelConfig model) {
        return OlmoNames.of(model);
    }
}
