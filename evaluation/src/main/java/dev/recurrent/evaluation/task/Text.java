package dev.recurrent.evaluation.task;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;

/** A text that can be read again and again, and sent to another machine that sees its file. */
public interface Text extends Serializable {

    /**
     * Opens it.
     *
     * @return its UTF-8 bytes
     * @throws IOException if it cannot be opened
     */
    InputStream open() throws IOException;

    /**
     * Reads all of it.
     *
     * @throws IOException if it cannot be read
     */
    String string() throws IOException;
}
