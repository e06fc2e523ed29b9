package dev.recurrent.evaluation.catalog;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.Suggestions;
import dev.recurrent.evaluation.task.choice.Template;
import dev.recurrent.evaluation.task.choice.TemplateFormat.Texts;
import dev.recurrent.evaluation.task.source.JsonLine;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;

/**
 * What a task file says.
 *
 * @param file the file
 * @param values its values by key
 */
record Settings(Path file, JsonLine values) {

    /**
     * Checks that every key means something.
     *
     * @throws InvalidInputException if one does not, naming those that it may have been meant for
     */
    void requireKnown(Collection<String> known) {
        for (String key : values.object().keySet()) {
            if (!known.contains(key)) {
                throw unknown("key", key, known);
            }
        }
    }

    /** An error that says where an unknown name stands and what may have been meant. */
    InvalidInputException unknown(String what, String name, Collection<String> known) {
        InvalidInputException unknown = Suggestions.unknown(what, name, known);
        return new InvalidInputException(file + ": " + unknown.getMessage(), unknown);
    }

    boolean has(String key) {
        return values.has(key);
    }

    String string(String key) {
        return values.string(key);
    }

    String string(String key, String other) {
        return has(key) ? string(key) : other;
    }

    /** Returns a whole number of at least 0; 0 where there is none. */
    int count(String key) {
        int value = has(key) ? values.integer(key) : 0;
        if (value < 0) {
            throw values.wrong("its \"" + key + "\" is " + value + ", less than 0");
        }
        return value;
    }

    /** Returns a file that is named relative to the task file. */
    Path path(String key) {
        Path path = file.resolveSibling(string(key));
        if (!Files.exists(path)) {
            throw values.wrong("its \"" + key + "\" names " + path + ", which is not there");
        }
        return path;
    }

    Template template(String key) {
        return template(key, string(key));
    }

    Template template(String key, String text) {
        return Template.of(file + ", \"" + key + "\"", text);
    }

    /** Returns one template that names an array, or an array of templates. */
    Texts texts(String key) {
        JsonElement value = values.field(key);
        if (value instanceof JsonArray) {
            List<String> texts = values.strings(key);
            return new Texts(texts.stream().map(text -> template(key, text)).toList(), false);
        }
        return new Texts(List.of(template(key)), true);
    }
}
