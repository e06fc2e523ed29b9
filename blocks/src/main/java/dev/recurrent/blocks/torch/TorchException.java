package dev.recurrent.blocks.torch;

/** A call into libtorch failed; libtorch's own message is on standard error. */
public class TorchException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * Constructs an exception.
     *
     * @param message what was called with what
     */
    public TorchException(String message) {
        super(message);
    }
}
