package dev.recurrent.blocks.autograd;

import ai.djl.ndarray.NDArray;

/**
 * An operator that computes its own gradients. An instance serves one application: what its
 * backward needs, it keeps from its forward.
 */
public interface Operation extends AutoCloseable {

    /**
     * Computes the outputs; autograd does not record it.
     *
     * @param inputs without their graph; those that {@link #backward} {@link #reads} live until
     *     {@link #close}
     * @return the outputs, the caller's to close
     */
    NDArray[] forward(NDArray... inputs);

    /**
     * Computes the gradients of the inputs; autograd does not record it. It runs once at most,
     * after {@link #forward}.
     *
     * @param gradients one for each output, of its shape and type; null where nothing depends on
     *     it, which is not so for all of them
     * @param wanted for each input, whether its gradient will be looked at
     * @return one for each input, of its shape and of any type; null where it is not wanted or zero
     */
    NDArray[] backward(NDArray[] gradients, boolean[] wanted);

    /**
     * Returns whether {@link #backward} reads an input. One that it does not read is null by then,
     * in the array that {@link #forward} was given: so its memory can be freed ({@link
     * Tape#discard}).
     *
     * @param input its index
     * @return true unless an operation says otherwise
     */
    default boolean reads(int input) {
        return true;
    }

    /** Frees what {@link #forward} kept, but not inputs. */
    @Override
    void close();
}
