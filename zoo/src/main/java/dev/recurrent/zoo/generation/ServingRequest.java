package dev.recurrent.zoo.generation;

import ai.djl.modality.Input;
import ai.djl.ndarray.BytesSupplier;
import ai.djl.util.JsonUtils;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.reflect.TypeToken;
import java.lang.reflect.Type;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * What a serving client asks for.
 *
 * @param prompts the texts to continue
 * @param single whether the client sent one text rather than a list
 * @param config how
 */
record ServingRequest(List<String> prompts, boolean single, GenerationConfig config) {

    private static final Type OPTIONS = new TypeToken<Map<String, Object>>() {}.getType();
    private static final Type TEXTS = new TypeToken<List<String>>() {}.getType();

    /** Checks and copies the list. */
    ServingRequest {
        if (prompts.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException("The request's inputs must not be null");
        }
        prompts = List.copyOf(prompts);
    }

    /**
     * Reads a request: JSON {@code {"inputs": text or [texts], "parameters": {options}}}, or plain
     * text. Without a content type, what is an object with {@code inputs} counts as JSON.
     *
     * @throws IllegalArgumentException if it is neither, or an option is unknown or does not fit
     */
    static ServingRequest of(Input input, GenerationConfig defaults) {
        BytesSupplier data = input.getData();
        if (data == null) {
            throw new IllegalArgumentException("The request has no content");
        }
        String content = data.getAsString();
        String type = input.getProperty("Content-Type", "").toLowerCase(Locale.ROOT);
        JsonObject json = type.startsWith("text/") ? null : json(content);
        if (json != null && json.has("inputs")) {
            return of(json, defaults);
        } else if (type.contains("json")) {
            throw new IllegalArgumentException(
                    "The request must be {\"inputs\": ..., \"parameters\": {...}}");
        }
        return new ServingRequest(List.of(content), true, defaults);
    }

    private static ServingRequest of(JsonObject json, GenerationConfig defaults) {
        try {
            JsonElement options = json.get("parameters");
            GenerationConfig config =
                    options == null || options.isJsonNull()
                            ? defaults
                            : GenerationArguments.strict(
                                    defaults, JsonUtils.GSON.fromJson(options, OPTIONS));
            JsonElement inputs = json.get("inputs");
            if (inputs.isJsonArray()) {
                return new ServingRequest(JsonUtils.GSON.fromJson(inputs, TEXTS), false, config);
            }
            return new ServingRequest(List.of(inputs.getAsString()), true, config);
        } catch (JsonParseException | UnsupportedOperationException | IllegalStateException e) {
            throw new IllegalArgumentException(
                    "The request's inputs must be text or a list of texts, and its parameters an"
                            + " object",
                    e);
        }
    }

    private static JsonObject json(String content) {
        try {
            return JsonParser.parseString(content) instanceof JsonObject object ? object : null;
        } catch (JsonParseException e) {
            return null;
        }
    }
}
