package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * h·Wᵀ + b of what an operation returns, which is computed again for W's gradient rather than kept.
 * Forward and backward multiply in the {@link MatrixPrecision} of the thread that runs the forward.
 *
 * <p>Inputs are W [out, in]; b [out] or null; and those of the operation that returns h. The output
 * is [..., out].
 */
public final class ProjectedOperation implements Operation {

    private static final int OWN_INPUTS = 2;

    private final Supplier<? extends Operation> operations;
    private final Shape shape;
    private final ScalarType type;
    private final Operation operation;
    private MatrixPrecision precision;
    private NDArray[] inputs;
    private Shape returned;
    private ScalarType returnedType;

    /**
     * Constructs an operation.
     *
     * @param operations makes instances of one operation that returns h, of any shape and type
     * @param shape what h is read as, [..., in]
     * @param type what h is read as; the output has it
     */
    public ProjectedOperation(
            Supplier<? extends Operation> operations, Shape shape, ScalarType type) {
        this.operations = operations;
        this.shape = shape;
        this.type = type;
        operation = operations.get();
    }

    @Override
    public NDArray[] forward(NDArray... arrays) {
        inputs = arrays;
        precision = MatrixPrecision.current();
        try (TensorScope scope = new TensorScope()) {
            NDArray result = operation.forward(given())[0];
            returned = result.getShape();
            returnedType = Torch.typeOf(result);
            return new NDArray[] {scope.pass(Aten.linear(read(result), arrays[0], arrays[1]))};
        }
    }

    /** The inputs of the operation that returns h. */
    private NDArray[] given() {
        return Arrays.copyOfRange(inputs, OWN_INPUTS, inputs.length);
    }

    private NDArray read(NDArray result) {
        return Torch.cast(result.reshape(shape), type); // [..., in]
    }

    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        boolean[] further = Arrays.copyOfRange(wanted, OWN_INPUTS, wanted.length);
        try (TensorScope scope = new TensorScope()) {
            NDArray dy = rows(multiplied(gradients[0])); // [rows, out]
            NDArray[] results = new NDArray[inputs.length];
            results[0] = wanted[0] ? ofWeight(dy) : null;
            results[1] = wanted[1] ? dy.sum(new int[] {0}) : null;
            if (any(further)) {
                NDArray[] others = operation.backward(new NDArray[] {ofResult(dy)}, further);
                System.arraycopy(others, 0, results, OWN_INPUTS, others.length);
            }
            Arrays.stream(results).filter(result -> result != null).forEach(scope::pass);
            return results;
        }
    }

    /** dyᵀ·h, [out, in]. */
    private NDArray ofWeight(NDArray dy) {
        try (TensorScope scope = new TensorScope();
                Operation again = operations.get()) {
            NDArray h = rows(multiplied(read(again.forward(given())[0]))); // [rows, in]
            return scope.pass(product(dy.transpose(), h));
        }
    }

    /** dy·W, of h's shape and type as the operation returned it. */
    private NDArray ofResult(NDArray dy) {
        try (TensorScope scope = new TensorScope()) {
            NDArray dh = product(dy, multiplied(inputs[0])); // [rows, in]
            return scope.pass(Torch.cast(Torch.cast(dh, type), returnedType).reshape(returned));
        }
    }

    /** [..., n] → [rows, n]. */
    private static NDArray rows(NDArray array) {
        Shape shape = array.getShape();
        return array.reshape(-1, shape.get(shape.dimension() - 1));
    }

    /** A tensor in the type that the forward multiplied in. */
    private NDArray multiplied(NDArray array) {
        NDManager manager = inputs[OWN_INPUTS].getManager();
        return precision.type() == null ? array : Torch.cast(manager, array, precision.type());
    }

    private static NDArray product(NDArray left, NDArray right) {
        // mm(Tensor self, Tensor mat2)
        return Torch.call(left.getManager(), "aten::mm", left, right);
    }

    private static boolean any(boolean... flags) {
        for (boolean flag : flags) {
            if (flag) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void close() {
        operation.close();
    }
}
