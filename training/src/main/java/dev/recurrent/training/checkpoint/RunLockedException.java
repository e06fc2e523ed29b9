package dev.recurrent.training.checkpoint;

import java.io.IOException;
import java.nio.file.Path;

/** Another run is at work in a folder. */
public final class RunLockedException extends IOException {

    private static final long serialVersionUID = 1;

    RunLockedException(Path folder) {
        super("Another run is at work in " + folder + ": wait for its end, or name another folder");
    }
}
