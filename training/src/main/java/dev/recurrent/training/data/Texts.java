package dev.recurrent.training.data;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * The documents of a file or of all files in a folder: a text file is one, and every line of a
 * JSONL file. Files are read piece by piece, so none need fit into memory.
 */
public final class Texts {

    private static final List<String> ENDINGS = List.of(".txt", ".text", ".md", ".jsonl");
    private static final Gson JSON = new GsonBuilder().setStrictness(Strictness.STRICT).create();
    private static final int PIECE = 1 << 18;

    private final List<Path> files;
    private final String field;

    private Texts(List<Path> files, String field) {
        this.files = files;
        this.field = field;
    }

    /** Takes documents piece by piece. */
    @FunctionalInterface
    interface Reading {

        /**
         * Takes a piece.
         *
         * @param text whole lines, or part of a very long one
         * @param last whether the document ends with it
         */
        void piece(String text, boolean last) throws IOException;
    }

    /**
     * Finds texts.
     *
     * @param path a text file, a JSONL file, or a folder whose .txt, .text, .md and .jsonl files
     *     are taken in the order of their names
     * @param field the field of JSONL objects that holds the text
     * @return the texts, not read yet
     * @throws DataException if there is nothing to read
     */
    public static Texts of(Path path, String field) throws DataException {
        if (Files.isRegularFile(path)) {
            return new Texts(List.of(path), field);
        }
        if (!Files.isDirectory(path)) {
            throw new DataException("There is no file or folder " + path);
        }
        try (Stream<Path> found = Files.walk(path)) {
            List<Path> files = found.filter(Texts::isText).sorted().toList();
            if (files.isEmpty()) {
                throw new DataException(
                        path
                                + " holds no text: its files must end in "
                                + String.join(", ", ENDINGS));
            }
            return new Texts(files, field);
        } catch (IOException e) {
            throw e instanceof DataException known
                    ? known
                    : new DataException("Cannot list " + path + ": " + e.getMessage(), e);
        }
    }

    private static boolean isText(Path file) {
        return Files.isRegularFile(file) && ENDINGS.stream().anyMatch(name(file)::endsWith);
    }

    private static String name(Path file) {
        return file.getFileName().toString().toLowerCase(Locale.ROOT);
    }

    /** Reads everything. */
    void read(Reading reading) throws IOException {
        for (Path file : files) {
            try (Reader reader = open(file)) {
                if (name(file).endsWith(".jsonl")) {
                    lines(file, reader, reading);
                } else {
                    pieces(reader, reading);
                }
            } catch (CharacterCodingException e) {
                throw new DataException(
                        file + " is not UTF-8 text from byte " + MalformedText.firstByte(file), e);
            } catch (DataException e) {
                throw e;
            } catch (IOException e) {
                throw new DataException("Cannot read " + file + ": " + e.getMessage(), e);
            }
        }
    }

    private static Reader open(Path file) throws IOException {
        return new InputStreamReader(
                Files.newInputStream(file),
                StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPORT)
                        .onUnmappableCharacter(CodingErrorAction.REPORT));
    }

    private static void pieces(Reader reader, Reading reading) throws IOException {
        char[] buffer = new char[PIECE];
        int held = 0;
        int read;
        while ((read = reader.read(buffer, held, PIECE - held)) >= 0) {
            held += read;
            if (held == PIECE) {
                int cut = cut(buffer, held);
                reading.piece(new String(buffer, 0, cut), false);
                System.arraycopy(buffer, cut, buffer, 0, held - cut);
                held -= cut;
            }
        }
        reading.piece(new String(buffer, 0, held), true);
    }

    /** After the last line end, where tokens end too; else between two characters. */
    private static int cut(char[] buffer, int held) {
        for (int i = held; i > 0; i--) {
            if (buffer[i - 1] == '\n') {
                return i;
            }
        }
        return Character.isHighSurrogate(buffer[held - 1]) ? held - 1 : held;
    }

    private void lines(Path file, Reader reader, Reading reading) throws IOException {
        BufferedReader lines = new BufferedReader(reader);
        String line;
        for (int number = 1; (line = lines.readLine()) != null; number++) {
            if (!line.isBlank()) {
                reading.piece(text(file, number, line), true);
            }
        }
    }

    private String text(Path file, int number, String line) throws DataException {
        String where = file + ", line " + number + ": ";
        try {
            JsonElement object = JSON.fromJson(line, JsonElement.class);
            JsonElement value = object.isJsonObject() ? object.getAsJsonObject().get(field) : null;
            if (value == null
                    || !value.isJsonPrimitive()
                    || !value.getAsJsonPrimitive().isString()) {
                throw new DataException(
                        where + "an object with a text \"" + field + "\" is wanted");
            }
            return value.getAsString();
        } catch (JsonParseException e) {
            throw new DataException(where + "this is no JSON: " + e.getMessage(), e);
        }
    }

    @Override
    public String toString() {
        return files.size() == 1 ? files.get(0).toString() : files.size() + " files";
    }
}
