package dev.recurrent.zoo.text;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Set;

/** Finds which ids end a text, in the files that lie beside a tokenizer. */
final class EndOfText {

    private EndOfText() {}

    /**
     * Returns the ids that the first of these names: {@code generation_config.json}, {@code
     * config.json}, {@code tokenizer_config.json}.
     *
     * @throws IOException if a file cannot be read
     * @throws IllegalArgumentException if a file is not as it should be, naming it
     */
    static Set<Long> beside(Path tokenizer, TokenizerFile content) throws IOException {
        for (String name : new String[] {"generation_config.json", "config.json"}) {
            Set<Long> ids = ids(member(tokenizer.resolveSibling(name), "eos_token_id"));
            if (!ids.isEmpty()) {
                return ids;
            }
        }
        JsonElement token = member(tokenizer.resolveSibling("tokenizer_config.json"), "eos_token");
        if (token != null && token.isJsonObject()) {
            token = token.getAsJsonObject().get("content");
        }
        Long id = isNull(token) ? null : content.added().get(token.getAsString());
        return id == null ? Set.of() : Set.of(id);
    }

    private static JsonElement member(Path file, String name) throws IOException {
        if (!Files.exists(file)) {
            return null;
        }
        try (Reader reader = Files.newBufferedReader(file)) {
            JsonElement root = JsonParser.parseReader(reader);
            return root instanceof JsonObject object ? object.get(name) : null;
        } catch (JsonParseException e) {
            throw new IllegalArgumentException(file + " is not JSON: " + e.getMessage(), e);
        }
    }

    private static Set<Long> ids(JsonElement value) {
        Set<Long> ids = new LinkedHashSet<>();
        if (isNull(value)) {
            return ids;
        } else if (value.isJsonArray()) {
            value.getAsJsonArray().forEach(id -> ids.add(id.getAsLong()));
        } else {
            ids.add(value.getAsLong());
        }
        return ids;
    }

    private static boolean isNull(JsonElement value) {
        return value == null || value.isJsonNull();
    }
}
