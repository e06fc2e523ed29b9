package dev.recurrent.zoo.config;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.zoo.naming.Mamba2Names;
import dev.recurrent.zoo.naming.NameMap;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * {@code transformers.Mamba2Config} and {@code fla.models.Mamba2Config}, which share a {@code
 * model_type}. They differ in two keys' names and in the output norm: transformers' takes its mean
 * over all of E, fla's over each group. The name of the epsilon tells them apart.
 */
final class Mamba2Format implements ModelFormat {

    static final String TYPE = "mamba2";

    private static final String EPSILON = "layer_norm_epsilon";
    private static final String FLA_EPSILON = "norm_eps";

    @Override
    public String architecture() {
        return "Mamba2ForCausalLM";
    }

    @Override
    public SpecialTokens defaultTokens() {
        return SpecialTokens.of(0, 2, 1);
    }

    @Override
    public long defaultMaxPositions() {
        return 0;
    }

    @Override
    public LanguageModelConfig read(ConfigKeys keys) throws ConfigException {
        boolean fla = keys.has(FLA_EPSILON) && !keys.has(EPSILON);
        long width = keys.count("hidden_size", fla ? 2048 : 4096);
        int depth = keys.depth(fla ? 48 : 64);
        double epsilon = keys.positive(fla ? FLA_EPSILON : EPSILON, 1e-5);
        Mamba2Config mixer = readMixer(keys, width, epsilon);
        return new LanguageModelConfig(
                width,
                keys.count("vocab_size", fla ? 32_000 : 32_768),
                NormConfig.plain(epsilon),
                Collections.nCopies(depth, new LayerConfig(mixer, null)),
                keys.flag("tie_word_embeddings", false),
                Initialization.mamba(keys.positive("initializer_range", fla ? 0.02 : 0.1), depth));
    }

    /**
     * Reads a mixer.
     *
     * @param keys where its keys are; the epsilon's name says whose they are
     * @param width D
     * @param epsilon of the output norm
     */
    static Mamba2Config readMixer(ConfigKeys keys, long width, double epsilon)
            throws ConfigException {
        keys.choice("hidden_act", "silu", Map.of("silu", true, "swish", true));
        keys.mustBe("rms_norm", true);
        keys.mustBe("rmsnorm", true);
        keys.mustBe("norm_before_gate", false);
        keys.mustBe("D_has_hdim", false);
        boolean transformers = keys.has(EPSILON);
        long headDim = keys.count("head_dim", 64);
        double recurrence = keys.positive("expand", 2) * width;
        long heads =
                keys.count(
                        "num_heads", transformers ? 128 : Math.max(1, (long) recurrence / headDim));
        if (heads * headDim != recurrence) {
            throw keys.inconsistent(
                    "num_heads "
                            + heads
                            + " times head_dim "
                            + headDim
                            + " must be expand times hidden_size, "
                            + recurrence);
        }
        long groups = keys.count("n_groups", transformers ? 8 : 1);
        double[] limit = limit(keys, keys.has("dt_limit") ? "dt_limit" : "time_step_limit");
        return new Mamba2Config(
                heads,
                headDim,
                keys.count("state_size", 128),
                groups,
                keys.smallCount("conv_kernel", 4),
                keys.flag("use_conv_bias", true),
                keys.flag("use_bias", false),
                limit[0],
                limit[1],
                transformers ? 1 : groups,
                epsilon);
    }

    private static double[] limit(ConfigKeys keys, String key) throws ConfigException {
        if (!keys.has(key)) {
            return new double[] {0, Double.POSITIVE_INFINITY};
        }
        List<Double> limit = keys.numbers(key);
        if (limit.size() != 2) {
            throw keys.wrong(key, "two numbers");
        }
        return new double[] {limit.get(0), limit.get(1)};
    }

    @Override
    public JsonObject write(LanguageModelConfig model, long maxPositions) {
        Unwritable.unless(
                !model.norm().zeroCentred() && model.embeddingScale() == 1 && model.softCap() == 0,
                TYPE,
                "plain norms, no embedding scale and no soft cap");
        LayerConfig layer = Unwritable.common(model.layers(), l -> l, TYPE, "kind of layer");
        Unwritable.unless(
                layer.mixer() instanceof Mamba2Config && layer.mlp() == null && !layer.postNorm(),
                TYPE,
                "Mamba-2 layers without MLPs and post-norms");
        Mamba2Config mixer = (Mamba2Config) layer.mixer();
        Unwritable.unless(
                mixer.epsilon() == model.norm().epsilon(), TYPE, "the same epsilon in all norms");
        JsonObject json = new JsonObject();
        json.addProperty("vocab_size", model.vocabulary());
        json.addProperty("hidden_size", model.width());
        json.addProperty("num_hidden_layers", model.layers().size());
        json.addProperty("initializer_range", model.initialization().sigma());
        json.addProperty("tie_word_embeddings", model.tiedHead());
        json.addProperty(isFla(mixer) ? FLA_EPSILON : EPSILON, mixer.epsilon());
        writeMixer(mixer, model.width(), TYPE).asMap().forEach(json::add);
        return json;
    }

    private static boolean isFla(Mamba2Config mixer) {
        return mixer.normGroups() != 1;
    }

    /** Writes a mixer, its epsilon aside. */
    static JsonObject writeMixer(Mamba2Config mixer, long width, String type) {
        Unwritable.unless(mixer.recurrenceWidth() % width == 0, type, "E to be a multiple of D");
        Unwritable.unless(
                mixer.normGroups() == 1 || mixer.normGroups() == mixer.groups(),
                type,
                "an output norm over all of E or over each group");
        JsonObject json = new JsonObject();
        json.addProperty("expand", mixer.recurrenceWidth() / width);
        json.addProperty("num_heads", mixer.heads());
        json.addProperty("head_dim", mixer.headDim());
        json.addProperty("state_size", mixer.stateSize());
        json.addProperty("n_groups", mixer.groups());
        json.addProperty("conv_kernel", mixer.taps());
        json.addProperty("use_conv_bias", mixer.convolutionBias());
        json.addProperty("use_bias", mixer.projectionBias());
        // Both upstreams' default, and infinity has no spelling that every JSON reader takes.
        if (mixer.minStep() != 0 || mixer.maxStep() != Double.POSITIVE_INFINITY) {
            JsonArray limit = new JsonArray();
            limit.add(mixer.minStep());
            limit.add(mixer.maxStep());
            json.add(isFla(mixer) ? "dt_limit" : "time_step_limit", limit);
        }
        return json;
    }

    @Override
    public NameMap names(LanguageModelConfig model) {
        return Mamba2Names.of(model);
    }
}
