package dev.recurrent.training.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where a run's files lie.
 *
 * @param root the folder that the user named
 */
record RunFolder(Path root) {

    Path config() {
        return root.resolve(RunConfig.FILE);
    }

    Path checkpoints() {
        return root.resolve("checkpoints");
    }

    Path metrics() {
        return root.resolve("metrics.jsonl");
    }

    Path curve() {
        return root.resolve("loss.svg");
    }

    /** The model that comes out: a Hugging Face directory. */
    Path model() {
        return root.resolve("model");
    }

    /** The adapters that come out of a run with LoRA. */
    Path adapter() {
        return root.resolve("adapter");
    }

    boolean holdsRun() {
        return Files.exists(config());
    }

    void create() throws IOException {
        Files.createDirectories(checkpoints());
    }
}
