package dev.recurrent.zoo.config;

import com.google.gson.JsonArray;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import java.util.List;
import java.util.stream.IntStream;

/** The key {@code layer_types} of transformers' hybrids. */
final class LayerTypes {

    private static final String KEY = "layer_types";
    private static final String LINEAR = "linear_attention";
    private static final String FULL = "full_attention";

    private LayerTypes() {}

    /** Reads which layers are which; without the key every {@code interval}-th attends. */
    static List<LayerConfig> read(
            ConfigKeys keys, int depth, long interval, LayerConfig linear, LayerConfig full)
            throws ConfigException {
        if (!keys.has(KEY)) {
            return IntStream.range(0, depth)
                    .mapToObj(i -> (i + 1) % interval == 0 ? full : linear)
                    .toList();
        }
        List<String> types = keys.texts(KEY);
        if (types.size() != depth || !List.of(LINEAR, FULL).containsAll(types)) {
            throw keys.wrong(KEY, depth + " times " + LINEAR + " or " + FULL);
        }
        return types.stream().map(type -> type.equals(FULL) ? full : linear).toList();
    }

    static JsonArray write(LanguageModelConfig model) {
        JsonArray types = new JsonArray();
        for (LayerConfig layer : model.layers()) {
            types.add(layer.mixer() instanceof AttentionConfig ? FULL : LINEAR);
        }
        return types;
    }
}
