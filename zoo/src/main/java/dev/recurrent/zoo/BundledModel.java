package dev.recurrent.zoo;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.preset.Preset;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Trained models in this jar: folders of resources, as {@link Pretrained#save} writes them. */
final class BundledModel {

    private static final List<String> FILES = List.of(HubConfig.FILE, Checkpoint.MODEL_FILE);

    private BundledModel() {}

    /** Returns where the weights of a preset are, if there are any. */
    static String resource(Preset preset) {
        return "/dev/recurrent/zoo/models/" + preset.artifactId() + "/" + preset.size();
    }

    static boolean exists(String resource) {
        return BundledModel.class.getResource(resource + "/" + HubConfig.FILE) != null;
    }

    /** Loads a model. Weights are read from files, so for a moment there is a copy in a folder. */
    static LanguageModel load(String resource, NDManager manager)
            throws IOException, MalformedModelException {
        Path folder = Files.createTempDirectory("recurrent-");
        try {
            for (String name : FILES) {
                copy(resource + "/" + name, folder.resolve(name));
            }
            HubConfig config = HubConfig.read(folder.resolve(HubConfig.FILE));
            return Pretrained.loadModel(folder, config, manager);
        } finally {
            for (String name : FILES) {
                Files.deleteIfExists(folder.resolve(name));
            }
            Files.delete(folder);
        }
    }

    private static void copy(String resource, Path file) throws IOException {
        try (InputStream in = BundledModel.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IOException("The jar lacks " + resource);
            }
            Files.copy(in, file);
        }
    }
}
