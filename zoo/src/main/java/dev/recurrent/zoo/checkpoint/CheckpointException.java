package dev.recurrent.zoo.checkpoint;

import ai.djl.MalformedModelException;
import java.nio.file.Path;

/** A checkpoint breaks a rule of its format, or lacks what was asked of it. */
public class CheckpointException extends MalformedModelException {

    private static final long serialVersionUID = 1L;

    /** Names come from the file and may be of any length. */
    private static final int LONGEST_NAME = 200;

    private final transient Path file;
    private final String tensor;
    private final String rule;

    /**
     * Constructs an exception.
     *
     * @param file the file at fault
     * @param tensor the tensor at fault, or null if the fault is not in one
     * @param rule what was found and what would be right
     */
    public CheckpointException(Path file, String tensor, String rule) {
        this(file, tensor, rule, null);
    }

    /**
     * Constructs an exception.
     *
     * @param file the file at fault
     * @param tensor the tensor at fault, or null if the fault is not in one
     * @param rule what was found and what would be right
     * @param cause what brought it to light, or null
     */
    public CheckpointException(Path file, String tensor, String rule, Throwable cause) {
        super(describe(file, tensor, rule), cause);
        this.file = file;
        this.tensor = tensor;
        this.rule = rule;
    }

    /** Returns the file at fault. */
    public Path getFile() {
        return file;
    }

    /** Returns the tensor at fault, or null if the fault is not in one. */
    public String getTensor() {
        return tensor;
    }

    /** Returns what was found and what would be right. */
    public String getRule() {
        return rule;
    }

    private static String describe(Path file, String tensor, String rule) {
        return tensor == null
                ? file + ": " + rule
                : file + ": tensor '" + abbreviate(tensor) + "': " + rule;
    }

    static String abbreviate(String name) {
        return name.length() <= LONGEST_NAME ? name : name.substring(0, LONGEST_NAME) + "…";
    }
}
