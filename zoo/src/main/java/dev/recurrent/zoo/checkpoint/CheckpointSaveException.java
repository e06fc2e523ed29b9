package dev.recurrent.zoo.checkpoint;

import java.io.IOException;
import java.nio.file.Path;

/** A checkpoint could not be saved; what was there before is not damaged. */
public class CheckpointSaveException extends IOException {

    private static final long serialVersionUID = 1L;

    private final transient Path path;

    /**
     * Constructs an exception.
     *
     * @param path the file or folder that was to be written
     * @param cause what went wrong
     */
    public CheckpointSaveException(Path path, Exception cause) {
        super(
                "Cannot save "
                        + path
                        + " (what was there before is not damaged): "
                        + cause.getClass().getSimpleName()
                        + ": "
                        + cause.getMessage(),
                cause);
        this.path = path;
    }

    /** Returns the file or folder that was to be written. */
    public Path getPath() {
        return path;
    }
}
