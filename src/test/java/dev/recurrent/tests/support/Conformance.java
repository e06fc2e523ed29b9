package dev.recurrent.tests.support;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the upstream implementations computed. */
public final class Conformance {

    private static final List<String> MODELS =
            List.of(
                    "delta_net",
                    "delta_net_swa",
                    "gated_deltanet",
                    "gated_deltanet_h1",
                    "mamba2",
                    "olmo_hybrid",
                    "qwen3_5",
                    "recurrent_gemma_griffin",
                    "recurrent_gemma_hawk");

    private Conformance() {}

    /** Returns the folders of models that upstream implementations saved. */
    public static List<String> models() {
        return MODELS;
    }

    /**
     * Finds a file or folder of the conformance cases.
     *
     * @param name path under the conformance resources, such as {@code mamba2}
     * @return where it lies
     */
    public static Path path(String name) {
        try {
            return Path.of(Conformance.class.getResource("/conformance/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /**
     * Loads a file of expected values.
     *
     * @param manager owner of the tensors
     * @param file path under the conformance resources, such as {@code ops/delta_rule.safetensors}
     * @return the tensors by name
     */
    public static Map<String, NDArray> load(NDManager manager, String file) {
        try (Checkpoint checkpoint = Checkpoint.open(path(file))) {
            Map<String, NDArray> tensors = new LinkedHashMap<>();
            for (String name : checkpoint.tensors().keySet()) {
                tensors.put(name, checkpoint.load(manager, name));
            }
            return tensors;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (MalformedModelException e) {
            throw new IllegalStateException(e);
        }
    }
}
