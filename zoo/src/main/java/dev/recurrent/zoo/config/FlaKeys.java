package dev.recurrent.zoo.config;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.AttentionConfig.QueryKeyNorm;
import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** The keys that flash-linear-attention's models share: the residual stream, MLP and attention. */
final class FlaKeys {

    /** What a layer is that no attention stands in. */
    interface NativeMixer {
        MixerConfig of(int layer) throws ConfigException;
    }

    private FlaKeys() {}

    static LanguageModelConfig read(ConfigKeys keys, int defaultDepth, NativeMixer mixer)
            throws ConfigException {
        keys.mustBeNull("attnres_block_size");
        long width = width(keys);
        int depth = keys.depth(defaultDepth);
        MlpConfig mlp = mlp(keys, width);
        Map<Integer, AttentionConfig> attention = attention(keys, width, depth);
        LayerConfig[] layers = new LayerConfig[depth];
        for (int i = 0; i < depth; i++) {
            MixerConfig own = attention.containsKey(i) ? attention.get(i) : mixer.of(i);
            layers[i] = new LayerConfig(own, mlp);
        }
        return new LanguageModelConfig(
                width,
                keys.count("vocab_size", 32_000),
                NormConfig.plain(keys.positive("norm_eps", 1e-6)),
                List.of(layers),
                keys.flag("tie_word_embeddings", false),
                Initialization.normal(keys.positive("initializer_range", 0.02)));
    }

    static long width(ConfigKeys keys) throws ConfigException {
        return keys.count("hidden_size", 2048);
    }

    /** The MLP is as wide as a multiple of 256 allows it to be about 2/3 · ratio · D. */
    private static MlpConfig mlp(ConfigKeys keys, long width) throws ConfigException {
        Activation activation =
                keys.choice(
                        "hidden_act",
                        "swish",
                        Map.of("swish", Activation.SILU, "silu", Activation.SILU));
        long wanted = (long) (width * keys.positive("hidden_ratio", 4) * 2 / 3);
        long hidden = keys.count("intermediate_size", 256 * ((wanted + 255) / 256));
        return new MlpConfig(hidden, activation, false);
    }

    private static Map<Integer, AttentionConfig> attention(ConfigKeys keys, long width, int depth)
            throws ConfigException {
        Map<Integer, AttentionConfig> layers = new LinkedHashMap<>();
        for (ConfigKeys attn : keys.objects("attn")) {
            AttentionConfig config = attention(attn, width);
            if (!attn.has("layers")) {
                throw attn.wrong("layers", "a list of layer indices");
            }
            for (int layer : attn.layers("layers", depth)) {
                if (layers.put(layer, config) != null) {
                    throw attn.wrong("layers", "each layer once");
                }
            }
        }
        return layers;
    }

    private static AttentionConfig attention(ConfigKeys attn, long width) throws ConfigException {
        if (!attn.has("num_heads")) {
            throw attn.wrong("num_heads", "a whole number >= 1");
        }
        long heads = attn.count("num_heads", 1);
        if (width % heads != 0) {
            throw attn.wrong("num_heads", "a divisor of hidden_size " + width);
        }
        long headDim = width / heads;
        return new AttentionConfig(
                heads,
                attn.count("num_kv_heads", heads),
                headDim,
                attn.has("window_size") ? attn.smallCount("window_size", 1) : 0,
                headDim,
                attn.positive("rope_theta", 10_000),
                attn.flag("qkv_bias", false),
                false,
                QueryKeyNorm.NONE,
                null,
                false);
    }

    static JsonObject write(LanguageModelConfig model, String type) {
        Unwritable.unless(
                !model.norm().zeroCentred() && model.embeddingScale() == 1 && model.softCap() == 0,
                type,
                "plain norms, no embedding scale and no soft cap");
        Unwritable.unless(
                model.layers().stream().noneMatch(LayerConfig::postNorm), type, "norms before");
        JsonObject json = StreamKeys.write(model, type);
        json.addProperty("hidden_act", "swish");
        json.addProperty("norm_eps", model.norm().epsilon());
        json.add("attn", attn(model, type));
        return json;
    }

    private static JsonElement attn(LanguageModelConfig model, String type) {
        Map<AttentionConfig, JsonObject> specifications = new LinkedHashMap<>();
        IntStream.range(0, model.layers().size())
                .forEach(
                        i -> {
                            if (model.layers().get(i).mixer() instanceof AttentionConfig config) {
                                specifications
                                        .computeIfAbsent(
                                                config, key -> attn(key, model.width(), type))
                                        .getAsJsonArray("layers")
                                        .add(i);
                            }
                        });
        if (specifications.size() <= 1) {
            return specifications.values().stream()
                    .map(JsonElement.class::cast)
                    .findFirst()
                    .orElse(JsonNull.INSTANCE);
        }
        JsonArray list = new JsonArray();
        specifications.values().forEach(list::add);
        return list;
    }

    private static JsonObject attn(AttentionConfig config, long width, String type) {
        Unwritable.unless(
                config.headDim() * config.heads() == width
                        && config.rotaryDim() == config.headDim()
                        && config.queryKeyNorm() == QueryKeyNorm.NONE
                        && !config.outputBias()
                        && !config.outputGate(),
                type,
                "attention of heads D/H that are rotated whole, without norms, gate and output"
                        + " bias");
        JsonObject json = new JsonObject();
        json.add("layers", new JsonArray());
        json.addProperty("num_heads", config.heads());
        json.addProperty("num_kv_heads", config.keyValueHeads());
        json.addProperty("qkv_bias", config.projectionBias());
        json.addProperty("rope_theta", config.rotaryTheta());
        json.addProperty("window_size", config.window() == 0 ? null : config.window());
        return json;
    }
}
