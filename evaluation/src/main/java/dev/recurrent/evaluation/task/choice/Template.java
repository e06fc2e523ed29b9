package dev.recurrent.evaluation.task.choice;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.source.JsonLine;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A text with placeholders for fields of an object: {@code {{field}}}, or {@code {{outer.inner}}}
 * for a field of an object in a field.
 */
public final class Template {

    private static final Pattern PLACEHOLDER = Pattern.compile("\\{\\{\\s*([^{}\\s]+)\\s*}}");

    private final String text;

    private Template(String text) {
        this.text = text;
    }

    /**
     * Reads a template.
     *
     * @param where it stands, for people
     * @param text its text
     * @throws InvalidInputException if a placeholder is malformed
     */
    public static Template of(String where, String text) {
        String plain = PLACEHOLDER.matcher(text).replaceAll("");
        if (plain.contains("{{") || plain.contains("}}")) {
            throw new InvalidInputException(
                    where
                            + ": \""
                            + text
                            + "\" has a placeholder that is not {{field}} or {{outer.inner}}");
        }
        return new Template(text);
    }

    /**
     * Puts an object's values into the text.
     *
     * @throws InvalidInputException if a field is missing, or neither text nor number nor truth
     *     value
     */
    String fill(JsonLine line) {
        return PLACEHOLDER
                .matcher(text)
                .replaceAll(found -> Matcher.quoteReplacement(scalar(line, found.group(1))));
    }

    /**
     * Returns the elements of the array that the template's only placeholder names.
     *
     * @throws InvalidInputException if it is not one placeholder, or names no array of text,
     *     numbers and truth values
     */
    List<String> fillAll(JsonLine line) {
        Matcher only = PLACEHOLDER.matcher(text);
        if (!only.matches()) {
            throw line.wrong("\"" + text + "\" does not name an array, as {{field}} does");
        }
        String path = only.group(1);
        if (!(value(line, path) instanceof JsonArray array)) {
            throw line.wrong("its \"" + path + "\" is not an array");
        }
        List<String> texts = new ArrayList<>();
        array.forEach(element -> texts.add(scalar(line, path, element)));
        return texts;
    }

    private static String scalar(JsonLine line, String path) {
        return scalar(line, path, value(line, path));
    }

    private static String scalar(JsonLine line, String path, JsonElement value) {
        if (!value.isJsonPrimitive()) {
            throw line.wrong("its \"" + path + "\" is not text, a number or a truth value");
        }
        return value.getAsString();
    }

    private static JsonElement value(JsonLine line, String path) {
        int dot = path.indexOf('.');
        return dot <= 0
                ? line.field(path)
                : value(line.nested(path.substring(0, dot)), path.substring(dot + 1));
    }
}
