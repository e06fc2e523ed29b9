package dev.recurrent.evaluation.task.source;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import dev.recurrent.evaluation.InvalidInputException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Files with one JSON object a line. */
public final class JsonLines {

    private static final Gson JSON = new GsonBuilder().setStrictness(Strictness.STRICT).create();

    private JsonLines() {}

    /**
     * Reads a file; empty lines are passed over.
     *
     * @param file the file
     * @param limit how many objects are read; 0 for all
     * @return its objects, in order
     * @throws InvalidInputException if there is no such file, it is not UTF-8, it has no objects,
     *     or a line is not one
     * @throws IOException if it cannot be read
     */
    public static List<JsonLine> read(Path file, long limit) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new InvalidInputException("There is no file " + file);
        }
        List<JsonLine> objects = new ArrayList<>();
        int number = 1;
        try (BufferedReader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            String line;
            while ((line = reader.readLine()) != null && (limit == 0 || objects.size() < limit)) {
                if (!line.isBlank()) {
                    objects.add(parse(file + ", line " + number, line));
                }
                number++;
            }
        } catch (MalformedInputException e) {
            throw new InvalidInputException(
                    file + " is not UTF-8 text: see line " + number + " or one soon after", e);
        }
        if (objects.isEmpty()) {
            throw new InvalidInputException(file + " has no JSON objects in it");
        }
        return objects;
    }

    /**
     * Reads an object.
     *
     * @param where it stands, for people
     * @param line its text
     * @throws InvalidInputException if it is not one
     */
    public static JsonLine parse(String where, String line) {
        try {
            if (JSON.fromJson(line, JsonElement.class) instanceof JsonObject object) {
                return new JsonLine(where, object);
            }
        } catch (JsonParseException e) {
            throw new InvalidInputException(where + ": this is not JSON: " + e.getMessage(), e);
        }
        throw new InvalidInputException(where + ": this is not a JSON object");
    }
}
