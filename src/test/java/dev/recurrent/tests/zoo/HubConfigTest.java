package dev.recurrent.tests.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.AttentionConfig.QueryKeyNorm;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.zoo.config.ConfigException;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.config.SpecialTokens;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class HubConfigTest {

    static List<String> models() {
        return Conformance.models();
    }

    @ParameterizedTest
    @MethodSource("models")
    void writesWhatItReads(String name) throws IOException, ConfigException {
        HubConfig read = HubConfig.read(ZooCases.config(name));
        HubConfig again = HubConfig.parse("again", HubConfig.toText(read.toJson()));
        assertThat(again.model()).isEqualTo(read.model());
        assertThat(again.tokens()).isEqualTo(read.tokens());
        assertThat(again.maxPositions()).isEqualTo(read.maxPositions());
        assertThat(again.toJson()).isEqualTo(read.toJson());
    }

    /**
     * What upstream wrote, in upstream's words: nulls may have become the values they stand for.
     */
    @ParameterizedTest
    @MethodSource("models")
    void keepsUpstreamsKeys(String name) throws IOException, ConfigException {
        HubConfig read = HubConfig.read(ZooCases.config(name));
        JsonObject written = read.toJson();
        read.json().asMap().forEach((key, value) -> assertKept(key, value, written.get(key)));
    }

    /** The same without the file to lean on: every key that determines the model is written. */
    @ParameterizedTest
    @MethodSource("models")
    void saysTheModelFromScratch(String name) throws IOException, ConfigException {
        HubConfig read = HubConfig.read(ZooCases.config(name));
        HubConfig made =
                HubConfig.of(read.modelType(), read.model(), read.tokens(), read.maxPositions());
        HubConfig again = HubConfig.parse("made", HubConfig.toText(made.json()));
        assertThat(again.model()).isEqualTo(read.model());
        assertThat(again.tokens()).isEqualTo(read.tokens());
        made.json()
                .asMap()
                .forEach(
                        (key, value) -> {
                            if (read.json().has(key)) {
                                assertKept(key, read.json().get(key), value);
                            }
                        });
    }

    private static void assertKept(String key, JsonElement upstream, JsonElement written) {
        if (upstream instanceof JsonObject object) {
            JsonObject ours = written.getAsJsonObject();
            object.asMap().forEach((name, value) -> assertKept(name, value, ours.get(name)));
        } else if (!upstream.isJsonNull()) {
            assertThat(written).as(key).isEqualTo(upstream);
        }
    }

    @Test
    void readsDeltaNetWithSlidingWindows() throws IOException, ConfigException {
        LanguageModelConfig model = HubConfig.read(ZooCases.config("delta_net_swa")).model();
        assertThat(model.width()).isEqualTo(64);
        assertThat(model.tiedHead()).isFalse();
        assertThat(model.layers()).hasSize(4);
        DeltaNetConfig delta = (DeltaNetConfig) model.layers().get(0).mixer();
        assertThat(delta.keyDim()).isEqualTo(16);
        assertThat(delta.gated()).isFalse();
        assertThat(delta.outputGate()).isFalse();
        assertThat(model.layers().get(2).mixer()).isEqualTo(delta);
        assertThat(model.layers().get(3).mixer()).isEqualTo(AttentionConfig.plain(4, 2, 16, 16));
        // round_up(64 · 4 · 2/3, 256)
        assertThat(model.layers().get(0).mlp().hidden()).isEqualTo(256);
    }

    @Test
    void readsRecurrentGemmaWithItsTraps() throws ConfigException {
        LanguageModelConfig model =
                parse(
                                """
                                {"model_type": "recurrent_gemma", "num_hidden_layers": 5,
                                 "_block_types": ["recurrent", "recurrent", "attention"],
                                 "hidden_size": 2560, "intermediate_size": 15360, "lru_width": null,
                                 "num_key_value_heads": null, "rope_theta": 5000.0,
                                 "attention_window_size": 2048, "vocab_size": 256000}
                                """)
                        .model();
        assertThat(model.embeddingScale()).isEqualTo(50.5);
        assertThat(model.softCap()).isEqualTo(30);
        assertThat(model.tiedHead()).isTrue();
        assertThat(model.norm().zeroCentred()).isTrue();
        assertThat(model.layers().get(4).mixer()).isEqualTo(new RgLruConfig(2560, 10, 4));
        assertThat(model.layers().get(4).mlp().hidden()).isEqualTo(7680);
        AttentionConfig attention = (AttentionConfig) model.layers().get(2).mixer();
        assertThat(attention.window()).isEqualTo(2049);
        assertThat(attention.keyValueHeads()).isEqualTo(10);
        assertThat(attention.rotaryTheta()).isEqualTo(5000);
        assertThat(attention.rotaryDim()).isEqualTo(128);
        assertThat(attention.projectionBias()).isFalse();
        assertThat(attention.outputBias()).isTrue();
    }

    @Test
    void readsGlobalAttention() throws ConfigException {
        LanguageModelConfig model =
                parse(
                                """
                                {"model_type": "recurrent_gemma", "block_types": ["attention"],
                                 "global_attention": true, "logits_soft_cap": null}
                                """)
                        .model();
        assertThat(model.softCap()).isZero();
        assertThat(model.layers())
                .allMatch(layer -> ((AttentionConfig) layer.mixer()).window() == 0);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[0.0, Infinity]|0|Infinity",
                "[0.001, {\"__float__\": \"Infinity\"}]|0.001|Infinity",
                "[0.0, \"Infinity\"]|0|Infinity",
                "[0.01, 0.1]|0.01|0.1",
                "null|0|Infinity"
            })
    void readsStepLimits(String json, double least, double greatest) throws Exception {
        JsonObject edited = ZooCases.json("mamba2");
        edited.add("time_step_limit", JsonParser.parseString(json));
        HubConfig config = parse(HubConfig.toText(edited));
        Mamba2Config mixer = (Mamba2Config) config.model().layers().get(0).mixer();
        assertThat(mixer.minStep()).isEqualTo(least);
        assertThat(mixer.maxStep()).isEqualTo(greatest);
        assertThat(parse(HubConfig.toText(config.toJson())).model()).isEqualTo(config.model());
    }

    /** fla's Mamba-2 normalises over groups, transformers' over everything. */
    @Test
    void tellsTheTwoMamba2ApartByTheirEpsilon() throws Exception {
        JsonObject json = ZooCases.json("mamba2");
        Mamba2Config theirs = (Mamba2Config) parse(json).model().layers().get(0).mixer();
        assertThat(theirs.groups()).isEqualTo(2);
        assertThat(theirs.normGroups()).isEqualTo(1);
        json.add("norm_eps", json.remove("layer_norm_epsilon"));
        HubConfig fla = parse(json);
        assertThat(((Mamba2Config) fla.model().layers().get(0).mixer()).normGroups()).isEqualTo(2);
        assertThat(parse(fla.toJson()).model()).isEqualTo(fla.model());
    }

    @Test
    void readsTheTextModelOfAWholeQwen() throws Exception {
        JsonObject text = ZooCases.json("qwen3_5");
        HubConfig alone = parse(text);
        JsonObject whole = new JsonObject();
        whole.addProperty("model_type", "qwen3_5");
        whole.add("vision_config", new JsonObject());
        whole.addProperty("tie_word_embeddings", true);
        text.remove("tie_word_embeddings");
        whole.add("text_config", text);
        HubConfig read = parse(whole);
        assertThat(read.modelType()).isEqualTo("qwen3_5_text");
        assertThat(read.model().layers()).isEqualTo(alone.model().layers());
        assertThat(read.model().tiedHead()).isTrue();
        assertThat(read.toJson().has("vision_config")).isFalse();
        AttentionConfig full = (AttentionConfig) read.model().layers().get(3).mixer();
        assertThat(full.queryKeyNorm()).isEqualTo(QueryKeyNorm.HEAD);
        assertThat(full.norm().zeroCentred()).isTrue();
        assertThat(full.rotaryDim()).isEqualTo(8);
        assertThat(full.outputGate()).isTrue();
    }

    @Test
    void rotatesOlmoOnlyWhereWavelengthsAreGiven() throws Exception {
        JsonObject json = ZooCases.json("olmo_hybrid");
        LayerConfig layer = parse(json).model().layers().get(3);
        assertThat(layer.postNorm()).isTrue();
        assertThat(((AttentionConfig) layer.mixer()).rotaryDim()).isEqualTo(16);
        json.add("rope_parameters", JsonParser.parseString("null"));
        HubConfig released = parse(json);
        AttentionConfig attention = (AttentionConfig) released.model().layers().get(3).mixer();
        assertThat(attention.rotaryDim()).isZero();
        assertThat(parse(released.toJson()).model()).isEqualTo(released.model());
        DeltaNetConfig linear = (DeltaNetConfig) released.model().layers().get(0).mixer();
        assertThat(linear.negativeEigenvalues()).isTrue();
        assertThat(linear.epsilon()).isEqualTo(1e-5);
    }

    @Test
    void takesUpstreamsDefaults() throws ConfigException {
        HubConfig gated = parse("{\"model_type\": \"gated_deltanet\"}");
        assertThat(gated.model().layers()).hasSize(21);
        DeltaNetConfig mixer = (DeltaNetConfig) gated.model().layers().get(0).mixer();
        assertThat(mixer.keyDim()).isEqualTo(256);
        assertThat(mixer.valueDim()).isEqualTo(512);
        assertThat(gated.model().layers().get(0).mlp().hidden()).isEqualTo(5632);
        assertThat(gated.tokens()).isEqualTo(SpecialTokens.of(1, 2, null));
        assertThat(parse("{\"model_type\": \"qwen3_5_text\"}").model().layers()).hasSize(32);
        assertThat(parse("{\"model_type\": \"olmo_hybrid\"}").model().width()).isEqualTo(3840);
        assertThat(parse("{\"model_type\": \"delta_net\"}").model().width()).isEqualTo(2048);
        assertThat(parse("{\"model_type\": \"mamba2\"}").model().layers()).hasSize(64);
    }

    @Test
    void readsSeveralEndsOfText() throws Exception {
        JsonObject json = ZooCases.json("delta_net");
        json.add("eos_token_id", JsonParser.parseString("[2, 7]"));
        HubConfig config = parse(json);
        assertThat(config.tokens().eos()).containsExactly(2L, 7L);
        assertThat(parse(config.toJson()).tokens()).isEqualTo(config.tokens());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "delta_net|model_type|\"llama\"|delta_net or gated_deltanet",
                "delta_net|hidden_size|\"64\"|a number",
                "delta_net|hidden_size|64.5|a whole number",
                "delta_net|hidden_size|0|a whole number >= 1",
                "delta_net|num_heads|3|num_heads 3",
                "delta_net|num_hidden_layers|2000000000|10000",
                "delta_net|hidden_act|\"relu\"|swish",
                "delta_net|qk_norm|\"l1\"|l2 or sum",
                "delta_net|qk_activation|\"gelu\"|elu or identity or relu or silu",
                "delta_net|use_gate|1|true or false",
                "delta_net|use_output_norm|false|true",
                "delta_net|attnres_block_size|2|null",
                "delta_net|norm_eps|0|a finite number > 0",
                "delta_net|norm_eps|Infinity|a finite number > 0",
                "delta_net|norm_eps|\"NaN\"|a number",
                "delta_net|attn|7|an object or a list of objects",
                "delta_net|attn|{\"layers\": [3], \"num_heads\": 4}|layer indices in [0, 3)",
                "delta_net|attn|{\"layers\": [1, 1], \"num_heads\": 4}|each layer once",
                "delta_net|attn|{\"layers\": [1], \"num_heads\": 5}|a divisor of hidden_size 64",
                "delta_net|attn|{\"num_heads\": 4}|a list of layer indices",
                "delta_net|attn|{\"layers\": [1]}|a whole number >= 1",
                "gated_deltanet|expand_v|1.7|head_dim 16 times it a whole number",
                "gated_deltanet|num_v_heads|4|valueHeads 4 must be a multiple of heads 3",
                "mamba2|rms_norm|false|true",
                "mamba2|num_heads|7|expand times hidden_size",
                "mamba2|time_step_limit|[0]|two numbers",
                "mamba2|n_groups|3|groups 3",
                "mamba2|hidden_act|\"gelu\"|silu or swish",
                "recurrent_gemma_griffin|hidden_activation|\"gelu\"|gelu_pytorch_tanh",
                "recurrent_gemma_griffin|intermediate_size|191|an even number",
                "recurrent_gemma_griffin|block_types|[\"recurrent\", \"local\"]|recurrent and"
                        + " attention",
                "recurrent_gemma_griffin|block_types|[]|recurrent and attention",
                "recurrent_gemma_griffin|rope_parameters|{\"rope_type\": \"yarn\"}|default",
                "recurrent_gemma_griffin|rope_scaling|{\"factor\": 2}|null",
                "recurrent_gemma_griffin|head_dim|32|hidden_size / num_attention_heads",
                "recurrent_gemma_griffin|logits_soft_cap|-1|softCap >= 0",
                "qwen3_5|layer_types|[\"full_attention\"]|4 times",
                "qwen3_5|attn_output_gate|false|true",
                "qwen3_5|hidden_act|\"gelu\"|silu",
                "olmo_hybrid|linear_use_gate|false|true",
                "olmo_hybrid|num_key_value_heads|3|keyValueHeads 3"
            })
    void namesWhatItDoesNotSupport(String base, String key, String value, String supported)
            throws IOException {
        JsonObject json = ZooCases.json(base);
        json.add(key, JsonParser.parseString(value));
        assertThatThrownBy(() -> HubConfig.parse("here/config.json", HubConfig.toText(json)))
                .isInstanceOf(ConfigException.class)
                .hasMessageStartingWith("here/config.json: ")
                .hasMessageContaining(supported);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[]|not a JSON object",
                "{\"model_type\":|not JSON",
                "{}|model_type is missing"
            })
    void namesWhatIsNoConfiguration(String text, String message) {
        assertThatThrownBy(() -> parse(text))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining(message);
    }

    @Test
    void namesKeyAndValue() throws IOException {
        JsonObject json = ZooCases.json("delta_net_swa");
        json.getAsJsonObject("attn").addProperty("window_size", -3);
        assertThatThrownBy(() -> parse(json))
                .hasMessage("test: attn.window_size is -3; supported: a whole number >= 1");
    }

    @Test
    void refusesWhatUpstreamHasNoWordsFor() throws Exception {
        LanguageModelConfig gated = parse(ZooCases.json("gated_deltanet")).model();
        LanguageModelConfig griffin = parse(ZooCases.json("recurrent_gemma_griffin")).model();
        for (Map.Entry<String, LanguageModelConfig> wrong :
                Map.of(
                                "delta_net", gated,
                                "mamba2", gated,
                                "recurrent_gemma", gated,
                                "qwen3_5_text", gated,
                                "olmo_hybrid", griffin,
                                "gated_deltanet", griffin)
                        .entrySet()) {
            assertThatThrownBy(
                            () ->
                                    HubConfig.of(
                                            wrong.getKey(),
                                            wrong.getValue(),
                                            SpecialTokens.NONE,
                                            0))
                    .as(wrong.getKey())
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(wrong.getKey());
        }
    }

    @Test
    void readsOtherActivationsAndNorms() throws Exception {
        JsonObject json = ZooCases.json("delta_net");
        json.addProperty("qk_activation", "elu");
        json.addProperty("qk_norm", "sum");
        json.addProperty("use_short_conv", false);
        json.addProperty("use_beta", false);
        HubConfig config = parse(json);
        DeltaNetConfig mixer = (DeltaNetConfig) config.model().layers().get(0).mixer();
        assertThat(mixer.queryKeyActivation()).isEqualTo(Activation.ELU_PLUS_ONE);
        assertThat(mixer.queryKeyNorm()).isEqualTo(DeltaNetConfig.QueryKeyNorm.SUM);
        assertThat(mixer.taps()).isZero();
        assertThat(mixer.beta()).isFalse();
        assertThat(parse(config.toJson()).model()).isEqualTo(config.model());
    }

    private static HubConfig parse(JsonObject json) throws ConfigException {
        return parse(HubConfig.toText(json));
    }

    private static HubConfig parse(String text) throws ConfigException {
        return HubConfig.parse("test", text);
    }
}
