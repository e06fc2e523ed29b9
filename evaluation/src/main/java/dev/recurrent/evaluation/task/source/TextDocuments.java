package dev.recurrent.evaluation.task.source;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.Documents;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Texts as documents: one of a text file, one a file of a folder, one a line of a JSONL file. */
public final class TextDocuments implements Documents {

    /** The field of JSONL objects that holds the text. */
    public static final String FIELD = "text";

    private static final String JSONL = ".jsonl";

    private final List<MeasuredText> texts;

    private TextDocuments(List<MeasuredText> texts) {
        this.texts = texts;
    }

    /**
     * Looks through texts, so that faults show early.
     *
     * @param path a text file, a folder whose .txt files are taken by name, or a .jsonl file whose
     *     objects have a {@value #FIELD}
     * @param limit how many lines of a text file, or documents of the others, are taken; 0 for all
     * @throws InvalidInputException if there is nothing, a text is empty or not UTF-8, or a line is
     *     malformed
     * @throws IOException if a file cannot be read
     */
    public static TextDocuments of(Path path, long limit) throws IOException {
        List<MeasuredText> texts = new ArrayList<>();
        if (Files.isDirectory(path)) {
            for (Path file : files(path, limit)) {
                texts.add(TextFile.of(file, 0));
            }
        } else if (path.toString().endsWith(JSONL)) {
            for (JsonLine line : JsonLines.read(path, limit)) {
                texts.add(text(line));
            }
        } else {
            texts.add(TextFile.of(path, limit));
        }
        return new TextDocuments(texts);
    }

    /** A single text. */
    public static TextDocuments of(MeasuredText text) {
        return new TextDocuments(List.of(text));
    }

    /**
     * Takes the text of an object.
     *
     * @throws InvalidInputException if it has none
     */
    public static MeasuredText text(JsonLine line) {
        StringText text = new StringText(line.where(), line.string(FIELD));
        if (text.words() == 0) {
            throw line.wrong("its \"" + FIELD + "\" has no text in it");
        }
        return text;
    }

    /** Returns the texts, in order. */
    public List<MeasuredText> texts() {
        return List.copyOf(texts);
    }

    private static List<Path> files(Path folder, long limit) throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            List<Path> files =
                    all.filter(file -> file.toString().endsWith(".txt"))
                            .sorted()
                            .limit(limit == 0 ? Long.MAX_VALUE : limit)
                            .toList();
            if (files.isEmpty()) {
                throw new InvalidInputException(folder + " has no .txt files in it");
            }
            return files;
        }
    }

    @Override
    public long size() {
        return texts.size();
    }

    @Override
    public Iterator<Document> read() {
        return IntStream.range(0, texts.size())
                .mapToObj(i -> new Document(i, texts.get(i)))
                .iterator();
    }
}
