package dev.recurrent.evaluation.task.needle;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Lists of words in the jar. */
final class WordLists {

    private static final String FOLDER = "/dev/recurrent/evaluation/words/";

    private WordLists() {}

    /** Reads a list, one word a line. */
    static List<String> read(String name) {
        try (InputStream in = WordLists.class.getResourceAsStream(FOLDER + name + ".txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
