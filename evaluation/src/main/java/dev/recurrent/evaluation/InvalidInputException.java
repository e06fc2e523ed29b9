package dev.recurrent.evaluation;

/**
 * What the user gave cannot be worked with: an unknown name, a missing or malformed file, a value
 * out of range. The message says what was wrong, where, and what would be right; the command line
 * prints it and exits with 2.
 */
public final class InvalidInputException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * Constructs an exception.
     *
     * @param message what was wrong, where, and what would be right
     */
    public InvalidInputException(String message) {
        super(message);
    }

    /**
     * Constructs an exception.
     *
     * @param message what was wrong, where, and what would be right
     * @param cause what it was noticed by
     */
    public InvalidInputException(String message, Throwable cause) {
        super(message, cause);
    }
}
