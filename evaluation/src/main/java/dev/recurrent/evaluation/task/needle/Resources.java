package dev.recurrent.evaluation.task.needle;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Texts in the jar. */
final class Resources {

    private static final String FOLDER = "/dev/recurrent/evaluation/";

    private Resources() {}

    static String text(String path) {
        try (InputStream in = Resources.class.getResourceAsStream(FOLDER + path)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A list of words, one a line. */
    static List<String> words(String name) {
        return text("words/" + name + ".txt").lines().toList();
    }
}
