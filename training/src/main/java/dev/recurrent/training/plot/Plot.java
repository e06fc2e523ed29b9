package dev.recurrent.training.plot;

import dev.recurrent.zoo.checkpoint.AtomicFiles;
import java.io.IOException;
import java.nio.file.Path;

/** A picture of figures, as SVG. The same plot gives the same text. */
public interface Plot {

    /** Returns the picture as an SVG document. */
    String toSvg();

    /**
     * Writes the picture to a file or replaces it in one step.
     *
     * @param file where; its folder must be there
     * @throws IOException if it cannot be written; the old file is untouched then
     */
    default void write(Path file) throws IOException {
        AtomicFiles.writeString(file, toSvg());
    }
}
