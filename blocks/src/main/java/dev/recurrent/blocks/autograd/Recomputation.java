package dev.recurrent.blocks.autograd;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.TensorScope;

/**
 * A segment of the model that keeps its input alone, and runs again in its backward ("gradient
 * checkpointing", arXiv 1604.06174).
 */
final class Recomputation implements Operation {

    private final Tape tape;
    private final Tape.Segment segment;
    private NDArray input;

    Recomputation(Tape tape, Tape.Segment segment) {
        this.tape = tape;
        this.segment = segment;
    }

    @Override
    public NDArray[] forward(NDArray... inputs) {
        input = inputs[0];
        return new NDArray[] {segment.run(input, false)};
    }

    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        input.setRequiresGradient(true);
        try (TensorScope scope = new TensorScope()) {
            int depth = tape.depth();
            NDArray again = scope.adopt(GradientMode.on(() -> segment.run(input, true)));
            Application.push(again, gradients[0]);
            tape.unwind(depth);
        }
        return new NDArray[] {wanted[0] ? input.getGradient() : null};
    }

    @Override
    public void close() {
        // The input is not its own.
    }
}
