package dev.recurrent.training.run;

/**
 * A run cannot begin as it was asked for. The message says which setting, file or folder is at
 * fault, and what would be right. Nothing has been written.
 */
public final class InvalidRunException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /**
     * Constructs an exception.
     *
     * @param message what was wrong, where, and what would be right
     */
    public InvalidRunException(String message) {
        super(message);
    }

    /**
     * Constructs an exception.
     *
     * @param message what was wrong, where, and what would be right
     * @param cause what it was noticed by
     */
    public InvalidRunException(String message, Throwable cause) {
        super(message, cause);
    }
}
