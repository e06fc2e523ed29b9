package dev.recurrent.evaluation.task;

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
 * @param path the file
 * @param bytes how much of it is scored
 * @param words what whitespace separates in that part
 */
public record TextFile(Path path, long bytes, long words) {

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
        if (scan.words == 0) {
            throw new InvalidInputException(path + " has no text in it");
        }
        return new TextFile(path, scan.bytes, scan.words);
    }

    /**
     * Opens the part that is scored.
     *
     * @return its bytes
     * @throws IOException if the file cannot be opened
     */
    public InputStream open() throws IOException {
        return new LengthLimitedStream(
                new BufferedInputStream(Files.newInputStream(path), BUFFER), bytes);
    }

    /** One pass over the bytes of a text. */
    private static final class Scan {

        private final Path path;
        private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        private final ByteBuffer input = ByteBuffer.allocate(BUFFER);
        private final CharBuffer output = CharBuffer.allocate(BUFFER);
        private long bytes;
        private long words;
        private long linesLeft;
        private boolean insideWord;

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
                boolean space = isSpace(output.get());
                if (!space && !insideWord) {
                    words++;
                }
                insideWord = !space;
            }
            output.clear();
        }

        /** The characters at which Python's {@code str.split()} splits. */
        private static boolean isSpace(char character) {
            return Character.isWhitespace(character)
                    || Character.isSpaceChar(character)
                    || character == '\u0085';
        }
    }
}
