package dev.recurrent.training.data;

import java.io.IOException;

/**
 * Data cannot be used. The message says which file and line is at fault and what would be right.
 */
public final class DataException extends IOException {

    private static final long serialVersionUID = 1;

    DataException(String message) {
        super(message);
    }

    DataException(String message, Throwable cause) {
        super(message, cause);
    }
}
