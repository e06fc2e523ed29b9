package dev.recurrent.zoo.config;

import ai.djl.MalformedModelException;

/** A configuration that cannot be read, or describes a model that is not supported. */
public final class ConfigException extends MalformedModelException {

    private static final long serialVersionUID = 1;

    /**
     * Constructs an exception.
     *
     * @param source the file
     * @param message what is wrong and what would be right
     */
    public ConfigException(String source, String message) {
        super(source + ": " + message);
    }

    /**
     * Constructs an exception.
     *
     * @param source the file
     * @param message what is wrong and what would be right
     * @param cause what noticed it
     */
    public ConfigException(String source, String message, Throwable cause) {
        super(source + ": " + message, cause);
    }
}
