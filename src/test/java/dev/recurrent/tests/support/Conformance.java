package dev.recurrent.tests.support;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the upstream implementations computed. */
public final class Conformance {

    private Conformance() {}

    /**
     * Loads a file of expected values.
     *
     * @param manager owner of the tensors
     * @param file path under the conformance resources, such as {@code ops/delta_rule.safetensors}
     * @return the tensors by name
     */
    public static Map<String, NDArray> load(NDManager manager, String file) {
        try (InputStream in = Conformance.class.getResourceAsStream("/conformance/" + file)) {
            Map<String, NDArray> tensors = new LinkedHashMap<>();
            NDList list = NDList.decode(manager, in);
            list.forEach(tensor -> tensors.put(tensor.getName(), tensor));
            return tensors;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
