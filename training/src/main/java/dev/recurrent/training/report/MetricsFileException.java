package dev.recurrent.training.report;

import java.io.IOException;
import java.nio.file.Path;

/** A file is not the metrics file of a run. */
public class MetricsFileException extends IOException {

    private static final long serialVersionUID = 1L;

    private final transient Path file;

    /**
     * Constructs an exception.
     *
     * @param file the file at fault
     * @param line the number of the line at fault, from 1
     * @param rule what was found and what would be right
     * @param cause what brought it to light, or null
     */
    public MetricsFileException(Path file, long line, String rule, Throwable cause) {
        super(file + ", line " + line + ": " + rule, cause);
        this.file = file;
    }

    /** Returns the file at fault. */
    public Path getFile() {
        return file;
    }
}
