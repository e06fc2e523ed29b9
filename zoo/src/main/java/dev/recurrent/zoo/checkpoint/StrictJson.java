package dev.recurrent.zoo.checkpoint;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/**
 * A JSON document read token by token, without a tree and without recursion: RFC 8259 to the
 * letter, UTF-8 to the letter, no key twice in an object.
 */
final class StrictJson {

    private final Path file;
    private final JsonReader reader;
    private String tensor;

    private StrictJson(Path file, InputStream in) {
        this.file = file;
        // A decoder, unlike a charset, reports malformed input instead of replacing it.
        reader = new JsonReader(new InputStreamReader(in, StandardCharsets.UTF_8.newDecoder()));
        reader.setStrictness(Strictness.STRICT);
    }

    /** Reads a value at the reader's position. */
    @FunctionalInterface
    interface Value {
        void read(StrictJson json) throws IOException, CheckpointException;
    }

    /** Reads the value of one member of an object. */
    @FunctionalInterface
    interface Member {
        void read(String name) throws IOException, CheckpointException;
    }

    /**
     * Reads a document that is one value and nothing after it.
     *
     * @param file the file that errors name
     * @param in its bytes
     * @param value reads the value
     * @throws CheckpointException if the document is not JSON, or as {@code value} throws
     */
    static void parse(Path file, InputStream in, Value value)
            throws IOException, CheckpointException {
        StrictJson json = new StrictJson(file, in);
        try {
            value.read(json);
            json.tensor = null;
            json.requireEnd();
        } catch (CharacterCodingException e) {
            throw new CheckpointException(file, json.tensor, "the JSON text must be UTF-8", e);
        } catch (MalformedJsonException | EOFException e) {
            String where = CheckpointException.abbreviate(json.reader.getPath());
            throw new CheckpointException(
                    file, json.tensor, "the text must be valid JSON, but is not at " + where, e);
        }
    }

    private void requireEnd() throws IOException, CheckpointException {
        try {
            reader.peek();
        } catch (MalformedJsonException e) {
            throw new CheckpointException(
                    file, null, "text follows the JSON object; only spaces may", e);
        }
    }

    /** Sets the tensor that errors name from here on, or null. */
    void within(String name) {
        tensor = name;
    }

    /** Reads an object, member by member. */
    void object(String what, Member member) throws IOException, CheckpointException {
        expect(JsonToken.BEGIN_OBJECT, what, "an object");
        reader.beginObject();
        Set<String> seen = new HashSet<>();
        while (reader.hasNext()) {
            String name = reader.nextName();
            if (!seen.add(name)) {
                throw broken(
                        "the key '"
                                + CheckpointException.abbreviate(name)
                                + "' occurs twice in "
                                + what
                                + "; each must be unique");
            }
            if (!StandardCharsets.UTF_8.newEncoder().canEncode(name)) {
                throw broken("a key in " + what + " is not a valid Unicode string");
            }
            member.read(name);
        }
        reader.endObject();
    }

    /** Reads an array of integers from 0 to 2^63 − 1, of bounded length. */
    long[] naturals(String what, int atMost) throws IOException, CheckpointException {
        expect(JsonToken.BEGIN_ARRAY, what, "an array");
        reader.beginArray();
        long[] numbers = new long[atMost];
        int count = 0;
        while (reader.hasNext()) {
            if (count == atMost) {
                throw broken(what + " has more than " + atMost + " elements");
            }
            numbers[count++] = natural(what);
        }
        reader.endArray();
        return Arrays.copyOf(numbers, count);
    }

    private long natural(String what) throws IOException, CheckpointException {
        expect(JsonToken.NUMBER, "each element of " + what, "a number");
        String digits = reader.nextString();
        if (!digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw broken(
                    what
                            + " holds "
                            + CheckpointException.abbreviate(digits)
                            + "; it must hold integers from 0 up");
        }
        try {
            return Long.parseLong(digits);
        } catch (NumberFormatException e) {
            throw broken(
                    what
                            + " holds "
                            + CheckpointException.abbreviate(digits)
                            + ", which is beyond 2^63 − 1");
        }
    }

    /** Reads a string. */
    String string(String what) throws IOException, CheckpointException {
        expect(JsonToken.STRING, what, "a string");
        return reader.nextString();
    }

    /** Passes over a value of any kind. */
    void skip() throws IOException {
        reader.skipValue();
    }

    /** Returns the exception for a broken rule at this place. */
    CheckpointException broken(String rule) {
        return new CheckpointException(file, tensor, rule);
    }

    private void expect(JsonToken token, String what, String kind)
            throws IOException, CheckpointException {
        JsonToken found = reader.peek();
        if (found != token) {
            throw broken(what + " must be " + kind + ", not " + describe(found));
        }
    }

    private static String describe(JsonToken token) {
        return switch (token) {
            case BEGIN_ARRAY -> "an array";
            case BEGIN_OBJECT -> "an object";
            case STRING -> "a string";
            case NUMBER -> "a number";
            case BOOLEAN -> "a boolean";
            case NULL -> "null";
            default -> "the end";
        };
    }
}
