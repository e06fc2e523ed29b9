package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Objects;
import java.util.function.Function;

/**
 * A rule forward and backward on a tape, as between the operations of a model: gradients go to the
 * one before, and no leaf of autograd's graph copies them.
 *
 * @param rule outputs of inputs
 * @param gradient of the outputs
 * @param inputs null for none
 */
record TapedPass(Function<NDArray[], NDArray> rule, NDArray gradient, NDArray... inputs)
        implements Workload {

    @Override
    public NDArray run(NDManager scope) {
        Source source = new Source(scope);
        NDArray[] variables =
                Arrays.stream(inputs)
                        .filter(Objects::nonNull)
                        .map(input -> variable(scope, input))
                        .toArray(NDArray[]::new);
        try (Tape tape = Tape.open(false)) {
            return GradientMode.on(
                    () -> {
                        NDArray values = rule.apply(placed(Tape.apply(source, variables)));
                        NDArray end = Tape.apply(new Sink(gradient), values)[0];
                        tape.backward(end, end.zerosLike());
                        return source.gradient;
                    });
        }
    }

    private static NDArray variable(NDManager scope, NDArray array) {
        NDArray variable = Torch.detach(scope, array);
        variable.setRequiresGradient(true);
        return variable;
    }

    /** Puts nulls back where there are no inputs. */
    private NDArray[] placed(NDArray... given) {
        Iterator<NDArray> rest = Arrays.asList(given).iterator();
        return Arrays.stream(inputs)
                .map(input -> input == null ? null : rest.next())
                .toArray(NDArray[]::new);
    }

    /** The operation after, whose backward hands on a gradient that is there. */
    private record Sink(NDArray gradient) implements Operation {

        @Override
        public NDArray[] forward(NDArray... inputs) {
            return new NDArray[] {inputs[0].getManager().zeros(new Shape(1))};
        }

        @Override
        public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
            return new NDArray[] {Torch.share(gradient.getManager(), gradient)};
        }

        @Override
        public boolean reads(int input) {
            return false;
        }

        @Override
        public void close() {
            // The gradient is the bench's.
        }
    }

    /** The operation before, which does nothing with the gradients. */
    private static final class Source implements Operation {

        private final NDManager manager;
        private NDArray gradient;

        Source(NDManager manager) {
            this.manager = manager;
        }

        @Override
        public NDArray[] forward(NDArray... inputs) {
            return Arrays.stream(inputs)
                    .map(input -> Torch.detach(manager, input))
                    .toArray(NDArray[]::new);
        }

        @Override
        public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
            try (TensorScope scope = new TensorScope()) {
                gradient = scope.keep(Torch.share(manager, gradients[0]));
            }
            return new NDArray[gradients.length];
        }

        @Override
        public boolean reads(int input) {
            return false;
        }

        @Override
        public void close() {
            // It keeps nothing but what it returns.
        }
    }
}
