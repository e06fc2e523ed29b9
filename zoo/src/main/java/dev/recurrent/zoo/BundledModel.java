package dev.recurrent.zoo;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.config.ConfigException;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.preset.Preset;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Trained models in this jar: folders of resources, as {@link Pretrained#save} writes them. */
final class BundledModel {

    private BundledModel() {}

    /** Returns whether there are trained weights of a preset. */
    static boolean exists(Preset preset) {
        return BundledModel.class.getResource(resource(preset, HubConfig.FILE)) != null;
    }

    static HubConfig config(Preset preset) throws IOException, ConfigException {
        String resource = resource(preset, HubConfig.FILE);
        try (InputStream in = open(resource)) {
            return HubConfig.parse(resource, new String(in.readAllBytes(), StandardCharsets.UTF_8));
        }
    }

    /** Loads a model. Weights are read from files, so for a moment there is a copy in one. */
    static LanguageModel load(Preset preset, HubConfig config, NDManager manager)
            throws IOException, MalformedModelException {
        Path folder = Files.createTempDirectory("recurrent-");
        Path weights = folder.resolve(Checkpoint.MODEL_FILE);
        try {
            try (InputStream in = open(resource(preset, Checkpoint.MODEL_FILE))) {
                Files.copy(in, weights);
            }
            return Pretrained.loadModel(folder, config, manager);
        } finally {
            Files.deleteIfExists(weights);
            Files.delete(folder);
        }
    }

    private static String resource(Preset preset, String file) {
        return "/dev/recurrent/zoo/models/"
                + preset.artifactId()
                + "/"
                + preset.size()
                + "/"
                + file;
    }

    private static InputStream open(String resource) throws IOException {
        InputStream in = BundledModel.class.getResourceAsStream(resource);
        if (in == null) {
            throw new IOException("The jar lacks " + resource);
        }
        return in;
    }
}
