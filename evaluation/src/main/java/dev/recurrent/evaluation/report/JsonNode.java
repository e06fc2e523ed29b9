package dev.recurrent.evaluation.report;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.recurrent.evaluation.InvalidInputException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An object of a file of results, whose fields must be there and of their kind: what is not shows
 * as {@link InvalidInputException} that names file and field.
 *
 * @param where it is, for people
 * @param object its fields
 */
public record JsonNode(String where, JsonObject object) {

    /** Returns the object of a field. */
    public JsonNode node(String field) {
        return node(field, field(field));
    }

    /** Returns the objects of a field that holds objects by name. */
    public Map<String, JsonNode> nodes(String field) {
        JsonNode all = node(field);
        Map<String, JsonNode> nodes = new LinkedHashMap<>();
        all.object.asMap().forEach((name, value) -> nodes.put(name, all.node(name, value)));
        return nodes;
    }

    /** Returns the objects of a field that is an array of them. */
    public List<JsonNode> list(String field) {
        if (!(field(field) instanceof JsonArray array)) {
            throw wrong(field, "an array");
        }
        List<JsonNode> nodes = new ArrayList<>();
        array.forEach(element -> nodes.add(node(field + "[" + nodes.size() + "]", element)));
        return nodes;
    }

    private JsonNode node(String name, JsonElement value) {
        if (!(value instanceof JsonObject fields)) {
            throw wrong(name, "an object");
        }
        return new JsonNode(where + ", " + name, fields);
    }

    /** Returns the text of a field. */
    public String string(String field) {
        JsonElement value = field(field);
        if (!value.isJsonPrimitive() || !value.getAsJsonPrimitive().isString()) {
            throw wrong(field, "a string");
        }
        return value.getAsString();
    }

    /** Returns a field that is true or false. */
    public boolean flag(String field) {
        JsonElement value = field(field);
        if (!value.isJsonPrimitive() || !value.getAsJsonPrimitive().isBoolean()) {
            throw wrong(field, "true or false");
        }
        return value.getAsBoolean();
    }

    /** Returns a number; NaN where null stands. */
    public double number(String field) {
        JsonElement value = field(field);
        if (value.isJsonNull()) {
            return Double.NaN;
        }
        try {
            return value.getAsDouble();
        } catch (NumberFormatException | IllegalStateException | UnsupportedOperationException e) {
            throw wrong(field, "a number");
        }
    }

    /** Returns a whole number. */
    public long integer(String field) {
        try {
            return field(field).getAsBigDecimal().longValueExact();
        } catch (ArithmeticException
                | NumberFormatException
                | IllegalStateException
                | UnsupportedOperationException e) {
            throw wrong(field, "a whole number");
        }
    }

    /** Returns whether there is such a field. */
    public boolean has(String field) {
        return object.has(field);
    }

    private JsonElement field(String field) {
        if (!object.has(field)) {
            throw new InvalidInputException(
                    where
                            + ": there is no \""
                            + field
                            + "\" in it, only "
                            + String.join(", ", object.keySet()));
        }
        return object.get(field);
    }

    private InvalidInputException wrong(String field, String wanted) {
        return new InvalidInputException(where + ": its \"" + field + "\" is not " + wanted);
    }
}
