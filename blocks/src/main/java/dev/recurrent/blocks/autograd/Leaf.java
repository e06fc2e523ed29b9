package dev.recurrent.blocks.autograd;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDScope;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import dev.recurrent.blocks.torch.Torch;

/**
 * An output of an operation: a leaf of autograd's graph. Its gradient comes from autograd, which
 * copies what it is given, and past autograd from the operations that are applied to the output
 * itself.
 */
final class Leaf implements AutoCloseable {

    private final NDArray array;
    private final NDArray result;
    private NDArray handed;

    /**
     * Makes an output a leaf.
     *
     * @param output closed with the leaf
     */
    Leaf(NDArray output) {
        array = own(output);
        array.setRequiresGradient(true);
        result = Torch.share(array.getManager(), array);
    }

    /** Lets this package alone close a tensor. */
    static NDArray own(NDArray array) {
        NDScope.unregister(array);
        return array;
    }

    /** Returns the output for others to use and close. */
    NDArray result() {
        return result;
    }

    /**
     * Adds to the gradient.
     *
     * @param gradient of the output's shape and type, not changed and still the caller's to close
     */
    void hand(NDArray gradient) {
        if (handed == null) {
            handed = own(Torch.share(gradient.getManager(), gradient));
        } else {
            NDArray before = handed;
            // Not in place: others may have been handed the same tensor.
            handed = own(before.add(gradient));
            before.close();
        }
    }

    /** Returns the gradient, to be closed; null if there is none. */
    NDArray gradient() {
        NDArray recorded = JniUtils.getGradient((PtNDArray) array);
        if (recorded != null && handed != null) {
            return recorded.add(handed);
        }
        return handed == null ? recorded : Torch.share(handed.getManager(), handed);
    }

    @Override
    public void close() {
        array.close();
        if (handed != null) {
            handed.close();
        }
    }
}
