package dev.recurrent.zoo.config;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Typed access to the keys of a configuration. A key that is absent or null takes its default; a
 * value of a wrong kind is an error that names file, key and value.
 */
final class ConfigKeys {

    /** Far beyond any model, and little enough for memory. */
    private static final long MAX_DEPTH = 10_000;

    private final String source;
    private final String prefix;
    private final JsonObject json;

    ConfigKeys(String source, JsonObject json) {
        this(source, "", json);
    }

    private ConfigKeys(String source, String prefix, JsonObject json) {
        this.source = source;
        this.prefix = prefix;
        this.json = json;
    }

    /** Whether the key is there and not null. */
    boolean has(String key) {
        return json.has(key) && !json.get(key).isJsonNull();
    }

    /** Whether the key is there and null. */
    boolean isNull(String key) {
        return json.has(key) && json.get(key).isJsonNull();
    }

    /** A whole number of at least one. */
    long count(String key, long fallback) throws ConfigException {
        long value = whole(key, fallback);
        if (value < 1) {
            throw wrong(key, "a whole number >= 1");
        }
        return value;
    }

    /** A whole number that fits an int, of at least one. */
    int smallCount(String key, int fallback) throws ConfigException {
        long value = count(key, fallback);
        if (value > Integer.MAX_VALUE) {
            throw wrong(key, "a whole number <= " + Integer.MAX_VALUE);
        }
        return (int) value;
    }

    /** The number of layers. */
    int depth(int fallback) throws ConfigException {
        long depth = count("num_hidden_layers", fallback);
        if (depth > MAX_DEPTH) {
            throw wrong("num_hidden_layers", "up to " + MAX_DEPTH);
        }
        return (int) depth;
    }

    private long whole(String key, long fallback) throws ConfigException {
        if (!has(key)) {
            return fallback;
        }
        double value = number(json.get(key), key);
        if (value != Math.rint(value) || Math.abs(value) > 1L << 53) {
            throw wrong(key, "a whole number");
        }
        return (long) value;
    }

    /** A number; infinities included. */
    double number(String key, double fallback) throws ConfigException {
        return has(key) ? number(json.get(key), key) : fallback;
    }

    /** A finite number above zero. */
    double positive(String key, double fallback) throws ConfigException {
        double value = number(key, fallback);
        if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
            throw wrong(key, "a finite number > 0");
        }
        return value;
    }

    boolean flag(String key, boolean fallback) throws ConfigException {
        if (!has(key)) {
            return fallback;
        }
        if (json.get(key) instanceof JsonPrimitive value && value.isBoolean()) {
            return value.getAsBoolean();
        }
        throw wrong(key, "true or false");
    }

    String text(String key, String fallback) throws ConfigException {
        return has(key) ? text(json.get(key), key) : fallback;
    }

    /** One of several values, by the name that upstream gives it. */
    <T> T choice(String key, String fallback, Map<String, T> values) throws ConfigException {
        T value = values.get(text(key, fallback));
        if (value == null) {
            throw wrong(key, String.join(" or ", values.keySet().stream().sorted().toList()));
        }
        return value;
    }

    List<String> texts(String key) throws ConfigException {
        return list(key, "a list of strings", element -> text(element, key));
    }

    /** Numbers, such as limits. */
    List<Double> numbers(String key) throws ConfigException {
        return list(key, "a list of numbers", element -> number(element, key));
    }

    /** Objects, or the one object that stands where a list may stand. */
    List<ConfigKeys> objects(String key) throws ConfigException {
        if (has(key) && json.get(key).isJsonObject()) {
            return List.of(object(key));
        }
        return list(
                key,
                "an object or a list of objects",
                element -> {
                    if (element instanceof JsonObject object) {
                        return new ConfigKeys(source, prefix + key + ".", object);
                    }
                    throw wrong(key, "an object or a list of objects");
                });
    }

    /** A nested object; empty where there is none. */
    ConfigKeys object(String key) throws ConfigException {
        if (!has(key)) {
            return new ConfigKeys(source, prefix + key + ".", new JsonObject());
        }
        if (json.get(key) instanceof JsonObject object) {
            return new ConfigKeys(source, prefix + key + ".", object);
        }
        throw wrong(key, "an object");
    }

    /** Layer indices below a depth. */
    List<Integer> layers(String key, long depth) throws ConfigException {
        List<Integer> layers = new ArrayList<>();
        for (double index : numbers(key)) {
            if (index != Math.rint(index) || index < 0 || index >= depth) {
                throw wrong(key, "layer indices in [0, " + depth + ")");
            }
            layers.add((int) index);
        }
        return layers;
    }

    /** A token id or none; the fallback stands where the key is absent, not where it is null. */
    OptionalLong token(String key, OptionalLong fallback) throws ConfigException {
        if (!json.has(key)) {
            return fallback;
        }
        return has(key) ? OptionalLong.of(whole(key, 0)) : OptionalLong.empty();
    }

    /** Token ids: a list, one, or none; the fallback stands where the key is absent. */
    List<Long> tokens(String key, List<Long> fallback) throws ConfigException {
        if (!json.has(key)) {
            return fallback;
        }
        if (!has(key)) {
            return List.of();
        }
        return json.get(key).isJsonArray()
                ? list(key, "token ids", element -> (long) number(element, key))
                : List.of(whole(key, 0));
    }

    /** Refuses a key that is set to anything but {@code supported}. */
    void mustBe(String key, boolean supported) throws ConfigException {
        if (flag(key, supported) != supported) {
            throw wrong(key, String.valueOf(supported));
        }
    }

    /** Refuses a key that is set at all. */
    void mustBeNull(String key) throws ConfigException {
        if (has(key)) {
            throw wrong(key, "null");
        }
    }

    /** The error about a value. */
    ConfigException wrong(String key, String supported) {
        JsonElement value = json.get(key);
        return new ConfigException(
                source,
                prefix
                        + key
                        + " is "
                        + (value == null ? "missing" : value)
                        + "; supported: "
                        + supported);
    }

    /** The error about several values together. */
    ConfigException inconsistent(String message) {
        return new ConfigException(source, message);
    }

    private interface Reader<T> {
        T read(JsonElement element) throws ConfigException;
    }

    private <T> List<T> list(String key, String expected, Reader<T> reader) throws ConfigException {
        if (!has(key)) {
            return List.of();
        }
        if (!(json.get(key) instanceof JsonArray array)) {
            throw wrong(key, expected);
        }
        List<T> values = new ArrayList<>(array.size());
        for (JsonElement element : array) {
            values.add(reader.read(element));
        }
        return values;
    }

    private String text(JsonElement element, String key) throws ConfigException {
        if (element instanceof JsonPrimitive value && value.isString()) {
            return value.getAsString();
        }
        throw wrong(key, "a string");
    }

    /** Python writes infinity as the bare word, transformers 5 as {"__float__": "Infinity"}. */
    private double number(JsonElement element, String key) throws ConfigException {
        JsonElement value =
                element instanceof JsonObject object && object.has("__float__")
                        ? object.get("__float__")
                        : element;
        if (value instanceof JsonPrimitive primitive && !primitive.isBoolean()) {
            if (primitive.isNumber()) {
                return primitive.getAsDouble();
            }
            return switch (primitive.getAsString()) {
                case "Infinity" -> Double.POSITIVE_INFINITY;
                case "-Infinity" -> Double.NEGATIVE_INFINITY;
                default -> throw wrong(key, "a number");
            };
        }
        throw wrong(key, "a number");
    }
}
