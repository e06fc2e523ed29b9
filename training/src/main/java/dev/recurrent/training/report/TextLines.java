package dev.recurrent.training.report;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The lines of a file of UTF-8, one after another, with the byte at which each ends. */
final class TextLines implements Closeable {

    /** No line that is written here comes near; a file of another kind must not fill the heap. */
    private static final int LONGEST = 1 << 16;

    private final Path file;
    private final InputStream in;
    private long position;
    private long number;

    TextLines(Path file) throws IOException {
        this.file = file;
        in = new BufferedInputStream(Files.newInputStream(file));
    }

    /**
     * A line.
     *
     * @param text without its line break
     * @param number from 1
     * @param end the byte after it and its line break
     * @param ended whether a line break ends it
     */
    record Line(String text, long number, long end, boolean ended) {}

    /** Returns the next line, or null after the last one. */
    Line next() throws IOException {
        long start = position;
        number++;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int next = in.read();
        while (next >= 0 && next != '\n') {
            if (bytes.size() == LONGEST) {
                throw new MetricsFileException(
                        file, number, "longer than any line of a metrics file", null);
            }
            bytes.write(next);
            next = in.read();
        }
        boolean ended = next == '\n';
        position += bytes.size() + (ended ? 1 : 0);
        return position == start
                ? null
                : new Line(bytes.toString(StandardCharsets.UTF_8), number, position, ended);
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
