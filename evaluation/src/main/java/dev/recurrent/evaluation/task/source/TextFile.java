package dev.recurrent.evaluation.task.source;

import dev.recurrent.evaluation.InvalidInputException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A text to score: a UTF-8 file, or its first lines, looked through once so that faults show before
 * a model is loaded.
 *
 * @param where the file
 * @param bytes how much of it is scored
 * @param words what whitespace separates in that part
 */
public record TextFile(String where, long bytes, long words) implements MeasuredText {

    private static final int BUFFER = 1 << 16;

    /**
     * Looks through a file.
     *
     * @param path the file
     * @param lines how many lines of it are scored; 0 for all
     * @return the text
     * @throws InvalidInputException if there is no such file, it is not UTF-8, or it has no words
     * @throws IOException if it cannot be read
     */
    public static TextFile of(Path path, long lines) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidInputException("There is no text file " + path);
        }
        Scan scan = new Scan(path, lines == 0 ? Long.MAX_VALUE : lines);
        try (InputStream in = Files.newInputStream(path)) {
            scan.run(in);
        }
        if (scan.words.words() == 0) {
            throw new InvalidInputException(path + " has no text in it");
        }
        return new TextFile(path.toString(), scan.bytes, scan.words.words());
    }

    /** Opens the part that is scored. */
    @Override
    public InputStream open() throws IOException {
        return new LengthLimitedStream(
                new BufferedInputStream(Files.newInputStream(Path.of(where)), BUFFER), bytes);
    }

    @Override
    public String string() throws IOException {
        try (InputStream in = open()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** One pass over the bytes of a text. */
    private static final class Scan {

        private final Path path;
        private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        private final ByteBuffer input = ByteBuffer.allocate(BUFFER);
        private final CharBuffer output = CharBuffer.allocate(BUFFER);
        private long bytes;
        private final WordCounter words = new WordCounter();
        private long linesLeft;

        Scan(Path path, long lines) {
            this.path = path;
            linesLeft = lines;
        }

        void run(InputStream in) throws IOException {
            while (linesLeft > 0) {
                int start = input.position();
                int read = in.read(input.array(), start, input.remaining());
                if (read < 0) {
                    break;
                }
                input.position(endOfLines(start, start + read));
                decode(false);
            }
            decode(true);
        }

        /** Returns where the last wanted line ends among new bytes, or where these end. */
        private int endOfLines(int start, int end) {
            for (int i = start; i < end; i++) {
                if (input.get(i) == '\n' && --linesLeft == 0) {
                    return i + 1;
                }
            }
            return end;
        }

        private void decode(boolean end) {
            input.flip();
            CoderResult result = decoder.decode(input, output, end);
            bytes += input.position();
            if (result.isError()) {
                throw new InvalidInputException(
                        path + " is not UTF-8 text: see the byte at offset " + bytes);
            }
            input.compact();
            countWords();
        }

        private void countWords() {
            output.flip();
            while (output.hasRemaining()) {
                words.add(output.get());
            }
            output.clear();
        }
    }
}
