package dev.recurrent.blocks.cuda;

/** A kernel could not be compiled, loaded or launched, or CUDA is not there. */
public class CudaException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * Constructs an exception.
     *
     * @param message what failed for which kernel, with CUDA's own words
     */
    public CudaException(String message) {
        super(message);
    }

    /**
     * Constructs an exception with its cause.
     *
     * @param message what failed for which kernel
     * @param cause why
     */
    public CudaException(String message, Throwable cause) {
        super(message, cause);
    }
}
