package dev.recurrent.evaluation.task.source;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.recurrent.evaluation.InvalidInputException;
import java.util.ArrayList;
import java.util.List;

/**
 * An object that stands on one line of a file.
 *
 * @param where file and line number, for people
 * @param object its fields
 */
public record JsonLine(String where, JsonObject object) {

    /**
     * Returns a field's text.
     *
     * @throws InvalidInputException if there is no such field or it is not a string
     */
    public String string(String field) {
        return string(field, field(field));
    }

    /**
     * Returns the strings of a field.
     *
     * @throws InvalidInputException if there is no such field or it is not an array of strings
     */
    public List<String> strings(String field) {
        if (!(field(field) instanceof JsonArray array)) {
            throw wrong("its \"" + field + "\" is not an array of strings");
        }
        List<String> strings = new ArrayList<>();
        array.forEach(element -> strings.add(string(field, element)));
        return strings;
    }

    /**
     * Returns a whole number, also one that is written as a string.
     *
     * @throws InvalidInputException if there is no such field or it is not a whole number
     */
    public int integer(String field) {
        try {
            return field(field).getAsBigDecimal().intValueExact();
        } catch (RuntimeException e) {
            if (e instanceof InvalidInputException) {
                throw e;
            }
            throw wrong("its \"" + field + "\" is not a whole number");
        }
    }

    /** Returns whether there is such a field. */
    public boolean has(String field) {
        return object.has(field) && !object.get(field).isJsonNull();
    }

    /**
     * Returns the object that stands in a field.
     *
     * @throws InvalidInputException if there is no such field or it is not an object
     */
    public JsonLine nested(String field) {
        return nested("\"" + field + "\"", field(field));
    }

    /**
     * Returns the objects that stand in a field.
     *
     * @throws InvalidInputException if there is no such field or it is not an array of objects
     */
    public List<JsonLine> allNested(String field) {
        if (!(field(field) instanceof JsonArray array)) {
            throw wrong("its \"" + field + "\" is not an array of objects");
        }
        List<JsonLine> lines = new ArrayList<>();
        array.forEach(element -> lines.add(nested("an element of \"" + field + "\"", element)));
        return lines;
    }

    private JsonLine nested(String what, JsonElement value) {
        if (!(value instanceof JsonObject inner)) {
            throw wrong(what + " is not an object");
        }
        return new JsonLine(where + ", in " + what, inner);
    }

    /**
     * Returns what stands in a field.
     *
     * @throws InvalidInputException if there is no such field
     */
    public JsonElement field(String field) {
        if (!has(field)) {
            throw wrong(
                    "there is no \""
                            + field
                            + "\" in it, only "
                            + String.join(", ", object.keySet()));
        }
        return object.get(field);
    }

    private String string(String field, JsonElement value) {
        if (!value.isJsonPrimitive() || !value.getAsJsonPrimitive().isString()) {
            throw wrong("its \"" + field + "\" is not a string");
        }
        return value.getAsString();
    }

    /** An error that says where this line is. */
    public InvalidInputException wrong(String what) {
        return new InvalidInputException(where + ": " + what);
    }
}
