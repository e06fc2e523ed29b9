package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.zoo.config.ConfigException;
import dev.recurrent.zoo.config.HubConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Models with random weights to measure. */
public final class BenchModels {

    /** The two models whose times in Python are known, by name: resources in HF form. */
    public static final List<String> PEERS = List.of("recurrent-gemma-183m", "qwen3.5-237m");

    /** Those whose generation on a GPU is known. */
    public static final List<String> GENERATION =
            List.of("recurrent-gemma-2b", "gated-deltanet-1.4b");

    /** All models that can be named: these, and one whose training is known. */
    public static final List<String> NAMED =
            List.of(
                    "recurrent-gemma-183m",
                    "qwen3.5-237m",
                    "gated-deltanet-358m",
                    "recurrent-gemma-2b",
                    "gated-deltanet-1.4b");

    private static final long WIDTH = 256;

    private BenchModels() {}

    /**
     * Builds one of {@link #NAMED}.
     *
     * @param name which one
     * @param manager owner of the weights
     * @return the model
     * @throws IOException if the resource cannot be read
     * @throws ConfigException if it is malformed
     */
    public static LanguageModel named(String name, NDManager manager)
            throws IOException, ConfigException {
        String file = name + ".json";
        try (InputStream in = BenchModels.class.getResourceAsStream(file)) {
            String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            return initialized(HubConfig.parse(file, text).model(), manager);
        }
    }

    /**
     * Small models of one layer each kind of recurrent mixer, on which times over lengths that are
     * out of reach of the large ones are still soon measured.
     */
    public static Map<String, LanguageModelConfig> small() {
        Map<String, LanguageModelConfig> models = new LinkedHashMap<>();
        models.put(
                "small delta-net",
                of(DeltaNetConfig.deltaNet().setHeads(4).setHeadDims(64, 64).build()));
        models.put(
                "small gated-deltanet",
                of(DeltaNetConfig.gatedDeltaNet().setHeads(4).setHeadDims(64, 64).build()));
        models.put("small mamba2", of(Mamba2Config.ofWidth(WIDTH, 64)));
        models.put("small hawk", of(new RgLruConfig(WIDTH, 4, 4)));
        models.put(
                "small griffin",
                of(
                        new RgLruConfig(WIDTH, 4, 4),
                        new RgLruConfig(WIDTH, 4, 4),
                        AttentionConfig.plain(4, 1, 64, 512)));
        return models;
    }

    /** Builds a model and initialises its weights. */
    public static LanguageModel initialized(LanguageModelConfig config, NDManager manager) {
        LanguageModel model = new LanguageModel(config);
        model.initialize(manager, DataType.FLOAT32);
        return model;
    }

    private static LanguageModelConfig of(MixerConfig... mixers) {
        MlpConfig mlp = new MlpConfig(3 * WIDTH, Activation.SILU, false);
        List<LayerConfig> layers =
                Arrays.stream(mixers).map(mixer -> new LayerConfig(mixer, mlp)).toList();
        return new LanguageModelConfig(
                WIDTH, 256, NormConfig.plain(1e-6), layers, true, Initialization.normal(0.02));
    }
}
