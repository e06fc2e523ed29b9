package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.rule.ProjectedOperation;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * What is yet to be computed, so that {@link Projection#forward(ParameterStore, Intermediate,
 * boolean)}, which alone reads it, need not keep it for its weight's gradient.
 */
public final class Intermediate {

    private final Optional<Supplier<Operation>> operations;
    private final Supplier<NDArray> portable;
    private final Shape shape;
    private final ScalarType type;
    private final NDArray[] inputs;

    /**
     * Constructs one.
     *
     * @param operations makes instances of an operation with one output, which takes the inputs on
     *     this thread; empty for the portable form
     * @param portable computes the same by what autograd records
     * @param shape of the result
     * @param type of the result
     * @param inputs of the operation
     */
    public Intermediate(
            Optional<Supplier<Operation>> operations,
            Supplier<NDArray> portable,
            Shape shape,
            ScalarType type,
            NDArray... inputs) {
        this.operations = operations;
        this.portable = portable;
        this.shape = shape;
        this.type = type;
        this.inputs = inputs.clone();
    }

    /** What has been computed already. */
    static Intermediate of(NDArray value) {
        return new Intermediate(
                Optional.empty(), () -> value, value.getShape(), Torch.typeOf(value), value);
    }

    /** The same elements as another shape. */
    public Intermediate reshape(Shape wanted) {
        return new Intermediate(operations, portable, wanted, type, inputs);
    }

    /** The same elements as another type. */
    public Intermediate cast(ScalarType wanted) {
        return new Intermediate(operations, portable, shape, wanted, inputs);
    }

    /** Returns a tensor on the device of the result. */
    NDArray like() {
        return inputs[0];
    }

    /** Computes it. */
    public NDArray value() {
        NDArray result =
                operations.isPresent()
                        ? Tape.apply(operations.get().get(), inputs)[0]
                        : portable.get();
        NDArray shaped = result.getShape().equals(shape) ? result : result.reshape(shape);
        return Torch.cast(shaped, type);
    }

    /**
     * Computes its projection without keeping it, if an operation and the thread's tape can.
     *
     * @param weight W [out, in]
     * @param bias b [out]; null for none
     * @return [..., out]; empty where nothing is recorded or autograd is to record the portable
     *     form
     */
    Optional<NDArray> project(NDArray weight, NDArray bias) {
        NDArray[] all =
                Stream.concat(Stream.of(weight, bias), Stream.of(inputs)).toArray(NDArray[]::new);
        if (operations.isEmpty() || !GradientMode.records(all) || !Tape.takes(all)) {
            return Optional.empty();
        }
        return Optional.of(
                Tape.apply(new ProjectedOperation(operations.get(), shape, type), all)[0]);
    }
}
