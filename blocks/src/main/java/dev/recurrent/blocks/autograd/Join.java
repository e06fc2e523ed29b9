package dev.recurrent.blocks.autograd;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.torch.Torch;

/** The identity: a leaf in which the gradients of all that follows come together. */
final class Join implements Operation {

    @Override
    public NDArray[] forward(NDArray... inputs) {
        return new NDArray[] {Torch.detach(inputs[0].getManager(), inputs[0])};
    }

    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        return gradients;
    }

    @Override
    public void close() {
        // Keeps nothing.
    }
}
