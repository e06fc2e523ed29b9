package dev.recurrent.training.report;

import com.google.gson.JsonParseException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The whole lines of a metrics file, one after another. A last line that a kill has torn is not one
 * of them; anything else that is not a line of such a file is an error.
 */
final class MetricsLines implements Closeable {

    private final Path file;
    private final TextLines lines;
    private long end;

    MetricsLines(Path file) throws IOException {
        this.file = file;
        lines = new TextLines(file);
    }

    /**
     * Returns the next whole line, or null after the last one.
     *
     * @throws MetricsFileException if it is no line of a metrics file
     */
    MetricsLine next() throws IOException {
        TextLines.Line line = lines.next();
        if (line == null) {
            return null;
        }
        if (!line.ended()) {
            if (isPart(line.text())) {
                return null;
            }
            throw refuse(line, null);
        }
        try {
            MetricsLine parsed = MetricsLine.parse(line.text());
            end = line.end();
            return parsed;
        } catch (JsonParseException e) {
            throw refuse(line, e);
        }
    }

    private MetricsFileException refuse(TextLines.Line line, JsonParseException cause) {
        return new MetricsFileException(
                file,
                line.number(),
                "not a JSON object with a step, as each line of a metrics file is",
                cause);
    }

    /** Returns the byte after the last line that was returned. */
    long end() {
        return end;
    }

    private static boolean isPart(String text) {
        return text.startsWith(MetricsLine.BEGINNING) || MetricsLine.BEGINNING.startsWith(text);
    }

    @Override
    public void close() throws IOException {
        lines.close();
    }
}
