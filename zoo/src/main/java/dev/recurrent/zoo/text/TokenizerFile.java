package dev.recurrent.zoo.text;

import com.google.gson.JsonParseException;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * What a {@code tokenizer.json} says of its ids. It is read as a stream, since merges and
 * vocabularies of tens of megabytes are common.
 *
 * @param vocabulary one more than the greatest id
 * @param added the added tokens (among them the special ones) and their ids
 */
record TokenizerFile(long vocabulary, Map<String, Long> added) {

    /**
     * Reads a file.
     *
     * @throws IOException if it cannot be read
     * @throws IllegalArgumentException if it is not a tokenizer, naming it
     */
    static TokenizerFile read(Path file) throws IOException {
        try (Reader reader = Files.newBufferedReader(file);
                JsonReader json = new JsonReader(reader)) {
            return new Parser(json).parse();
        } catch (JsonParseException | IllegalStateException | NumberFormatException e) {
            throw notATokenizer(file, e);
        } catch (com.google.gson.stream.MalformedJsonException | java.io.EOFException e) {
            throw notATokenizer(file, e);
        }
    }

    private static IllegalArgumentException notATokenizer(Path file, Exception cause) {
        return new IllegalArgumentException(
                file + " is not a tokenizer: " + cause.getMessage(), cause);
    }

    private static final class Parser {

        private final JsonReader json;
        private final Map<String, Long> added = new HashMap<>();
        private long greatest = -1;

        Parser(JsonReader json) {
            this.json = json;
        }

        TokenizerFile parse() throws IOException {
            json.beginObject();
            while (json.hasNext()) {
                switch (json.nextName()) {
                    case "added_tokens" -> addedTokens();
                    case "model" -> model();
                    default -> json.skipValue();
                }
            }
            json.endObject();
            if (greatest < 0) {
                throw new IllegalStateException("it has no tokens");
            }
            return new TokenizerFile(greatest + 1, Map.copyOf(added));
        }

        private void addedTokens() throws IOException {
            json.beginArray();
            while (json.hasNext()) {
                addedToken();
            }
            json.endArray();
        }

        private void addedToken() throws IOException {
            String content = null;
            long id = -1;
            json.beginObject();
            while (json.hasNext()) {
                switch (json.nextName()) {
                    case "content" -> content = json.nextString();
                    case "id" -> id = json.nextLong();
                    default -> json.skipValue();
                }
            }
            json.endObject();
            greatest = Math.max(greatest, id);
            if (content != null) {
                added.put(content, id);
            }
        }

        private void model() throws IOException {
            json.beginObject();
            while (json.hasNext()) {
                if (!json.nextName().equals("vocab")) {
                    json.skipValue();
                } else if (json.peek() == JsonToken.BEGIN_ARRAY) {
                    unigrams();
                } else {
                    ids();
                }
            }
            json.endObject();
        }

        /** Unigram models list [token, score]; the place is the id. */
        private void unigrams() throws IOException {
            json.beginArray();
            for (long id = 0; json.hasNext(); id++) {
                json.skipValue();
                greatest = Math.max(greatest, id);
            }
            json.endArray();
        }

        private void ids() throws IOException {
            json.beginObject();
            while (json.hasNext()) {
                json.nextName();
                greatest = Math.max(greatest, json.nextLong());
            }
            json.endObject();
        }
    }
}
