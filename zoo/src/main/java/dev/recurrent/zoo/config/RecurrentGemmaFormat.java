package dev.recurrent.zoo.config;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.AttentionConfig.QueryKeyNorm;
import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.zoo.naming.NameMap;
import dev.recurrent.zoo.naming.RecurrentGemmaNames;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * {@code transformers.RecurrentGemmaConfig}: Griffin (recurrent, recurrent, attention), Hawk (all
 * recurrent) and the MQA Transformer (all attention).
 *
 * <p>A window of W means W + 1 keys, as in google-deepmind/recurrentgemma and so in the released
 * weights. For the MQA Transformer's unbounded attention upstream has no key: {@code
 * global_attention}, which upstream ignores, says it, and the window beside it is the length that
 * the model was trained at. The gates have as many blocks as there are heads, unless {@code
 * num_gate_blocks}, our key as well, says otherwise.
 */
final class RecurrentGemmaFormat implements ModelFormat {

    static final String TYPE = "recurrent_gemma";

    private static final String RECURRENT = "recurrent";
    private static final String ATTENTION = "attention";
    private static final String WINDOW = "attention_window_size";
    private static final String GLOBAL = "global_attention";
    private static final long DEFAULT_LENGTH = 8192;
    private static final String GATE_BLOCKS = "num_gate_blocks";
    private static final String HEADS = "num_attention_heads";
    private static final double ROTARY_FACTOR = 0.5;

    @Override
    public String architecture() {
        return "RecurrentGemmaForCausalLM";
    }

    @Override
    public SpecialTokens defaultTokens() {
        return SpecialTokens.of(2, 1, 0);
    }

    @Override
    public long defaultMaxPositions() {
        return 0;
    }

    @Override
    public LanguageModelConfig read(ConfigKeys keys) throws ConfigException {
        long width = keys.count("hidden_size", 2560);
        int depth = keys.depth(26);
        keys.choice(
                "hidden_activation",
                "gelu_pytorch_tanh",
                Map.of("gelu_pytorch_tanh", Activation.GELU_TANH));
        List<MixerConfig> cycle = cycle(keys, width);
        MlpConfig mlp = mlp(keys, width);
        return new LanguageModelConfig(
                width,
                keys.count("vocab_size", 256_000),
                NormConfig.zeroCentred(keys.positive("rms_norm_eps", 1e-6)),
                IntStream.range(0, depth)
                        .mapToObj(i -> new LayerConfig(cycle.get(i % cycle.size()), mlp))
                        .toList(),
                keys.flag("tie_word_embeddings", true),
                EmbeddingScale.ofWidth(width),
                keys.isNull("logits_soft_cap") ? 0 : keys.number("logits_soft_cap", 30),
                Initialization.fanIn(depth));
    }

    private static List<MixerConfig> cycle(ConfigKeys keys, long width) throws ConfigException {
        String key = keys.has("block_types") ? "block_types" : "_block_types";
        List<String> types =
                keys.has(key) ? keys.texts(key) : List.of(RECURRENT, RECURRENT, ATTENTION);
        if (types.isEmpty() || !List.of(RECURRENT, ATTENTION).containsAll(types)) {
            throw keys.wrong(key, "a list of " + RECURRENT + " and " + ATTENTION);
        }
        RgLruConfig recurrent = types.contains(RECURRENT) ? recurrent(keys, width) : null;
        AttentionConfig attention = types.contains(ATTENTION) ? attention(keys, width) : null;
        List<MixerConfig> cycle = new ArrayList<>();
        types.forEach(type -> cycle.add(type.equals(RECURRENT) ? recurrent : attention));
        return cycle;
    }

    /** The key is twice the MLP's inner width. */
    private static MlpConfig mlp(ConfigKeys keys, long width) throws ConfigException {
        long both = keys.count("intermediate_size", 3 * 2560);
        if (both % 2 != 0) {
            throw keys.wrong("intermediate_size", "an even number, twice the MLP's inner width");
        }
        return new MlpConfig(both / 2, Activation.GELU_TANH, true);
    }

    private static RgLruConfig recurrent(ConfigKeys keys, long width) throws ConfigException {
        return new RgLruConfig(
                keys.count("lru_width", width),
                keys.count(GATE_BLOCKS, heads(keys)),
                keys.smallCount("conv1d_width", 4));
    }

    private static long heads(ConfigKeys keys) throws ConfigException {
        return keys.count(HEADS, 10);
    }

    private static AttentionConfig attention(ConfigKeys keys, long width) throws ConfigException {
        long heads = heads(keys);
        if (width % heads != 0) {
            throw keys.wrong(HEADS, "a divisor of hidden_size " + width);
        }
        long headDim = width / heads;
        if (keys.count("head_dim", headDim) != headDim) {
            throw keys.wrong("head_dim", "hidden_size / num_attention_heads, " + headDim);
        }
        RopeKeys rope = new RopeKeys(keys);
        return new AttentionConfig(
                heads,
                keys.count("num_key_value_heads", heads),
                headDim,
                keys.flag(GLOBAL, false) ? 0 : Math.addExact(keys.smallCount(WINDOW, 2048), 1),
                rope.rotaryDim(headDim, ROTARY_FACTOR),
                rope.theta(),
                keys.flag("attention_bias", false),
                true,
                QueryKeyNorm.NONE,
                null,
                false);
    }

    @Override
    public JsonObject write(LanguageModelConfig model, long maxPositions) {
        Unwritable.unless(
                model.norm().zeroCentred()
                        && model.embeddingScale() == EmbeddingScale.ofWidth(model.width()),
                TYPE,
                "zero-centred norms and embeddings times the square root of D");
        JsonObject json = new JsonObject();
        json.addProperty("vocab_size", model.vocabulary());
        json.addProperty("hidden_size", model.width());
        json.addProperty("num_hidden_layers", model.layers().size());
        json.addProperty("intermediate_size", 2 * mlp(model).hidden());
        json.addProperty("hidden_activation", "gelu_pytorch_tanh");
        json.addProperty("rms_norm_eps", model.norm().epsilon());
        json.addProperty("logits_soft_cap", model.softCap() == 0 ? null : model.softCap());
        json.addProperty("tie_word_embeddings", model.tiedHead());
        json.add("block_types", blockTypes(model));
        writeRecurrent(json, model);
        writeAttention(json, model, maxPositions);
        return json;
    }

    private static MlpConfig mlp(LanguageModelConfig model) {
        MlpConfig mlp = Unwritable.common(model.layers(), LayerConfig::mlp, TYPE, "MLP");
        Unwritable.unless(
                mlp != null && mlp.activation() == Activation.GELU_TANH && mlp.bias(),
                TYPE,
                "GeGLU with biases");
        return mlp;
    }

    /** The shortest cycle that gives the layers. */
    private static JsonArray blockTypes(LanguageModelConfig model) {
        List<String> types =
                model.layers().stream()
                        .map(layer -> layer.mixer() instanceof RgLruConfig ? RECURRENT : ATTENTION)
                        .toList();
        int period =
                IntStream.rangeClosed(1, types.size())
                        .filter(p -> isPeriod(types, p))
                        .findFirst()
                        .orElseThrow();
        JsonArray cycle = new JsonArray();
        types.subList(0, period).forEach(cycle::add);
        return cycle;
    }

    private static boolean isPeriod(List<String> types, int period) {
        return IntStream.range(period, types.size())
                .allMatch(i -> types.get(i).equals(types.get(i - period)));
    }

    private static void writeRecurrent(JsonObject json, LanguageModelConfig model) {
        List<RgLruConfig> mixers = Unwritable.mixers(model, RgLruConfig.class);
        if (mixers.isEmpty()) {
            return;
        }
        RgLruConfig mixer = Unwritable.common(mixers, m -> m, TYPE, "kind of recurrent layer");
        json.addProperty("lru_width", mixer.recurrenceWidth());
        json.addProperty(HEADS, mixer.gateBlocks());
        json.addProperty("conv1d_width", mixer.taps());
    }

    private static void writeAttention(
            JsonObject json, LanguageModelConfig model, long maxPositions) {
        List<AttentionConfig> mixers = Unwritable.mixers(model, AttentionConfig.class);
        if (mixers.isEmpty()) {
            return;
        }
        AttentionConfig mixer = Unwritable.common(mixers, m -> m, TYPE, "kind of attention layer");
        Unwritable.unless(
                mixer.heads() * mixer.headDim() == model.width()
                        && mixer.outputBias()
                        && mixer.queryKeyNorm() == QueryKeyNorm.NONE
                        && !mixer.outputGate()
                        && mixer.window() != 1
                        && mixer.rotaryDim() > 0,
                TYPE,
                "rotated attention of heads D/H with an output bias, without norms and gate");
        if (json.has(HEADS) && json.get(HEADS).getAsLong() != mixer.heads()) {
            json.addProperty(GATE_BLOCKS, json.get(HEADS).getAsLong());
        }
        json.addProperty(HEADS, mixer.heads());
        json.addProperty("num_key_value_heads", mixer.keyValueHeads());
        json.addProperty("head_dim", mixer.headDim());
        json.addProperty("attention_bias", mixer.projectionBias());
        json.addProperty("rope_theta", mixer.rotaryTheta());
        RopeKeys.write(json, mixer.rotaryTheta(), (double) mixer.rotaryDim() / mixer.headDim());
        json.addProperty(GLOBAL, mixer.window() == 0);
        long beyond = maxPositions > 0 ? maxPositions : DEFAULT_LENGTH;
        json.addProperty(WINDOW, mixer.window() == 0 ? beyond : mixer.window() - 1);
    }

    @Override
    public NameMap names(LanguageModelConfig model) {
        return RecurrentGemmaNames.of(model);
    }
}
