package dev.recurrent.blocks.autograd;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * An operation that was applied: the place where autograd's graph is cut.
 *
 * @param operation what was applied
 * @param sources its inputs as the part of the graph before knows them
 * @param produced those of them that are other operations' outputs, else null
 * @param inputs the same values without their graph; null for those that the operation's backward
 *     does not read
 * @param outputs its outputs
 */
record Application(
        Operation operation, NDArray[] sources, Leaf[] produced, NDArray[] inputs, Leaf[] outputs)
        implements AutoCloseable {

    /**
     * Runs an operation and makes its outputs leaves.
     *
     * @param known finds the leaf that a tensor is; null for none
     */
    static Application of(Operation operation, Function<NDArray, Leaf> known, NDArray... arrays) {
        NDArray[] inputs = map(arrays, array -> Leaf.own(Torch.detach(array.getManager(), array)));
        NDArray[] outputs = GradientMode.off(() -> operation.forward(inputs));
        for (int i = 0; i < inputs.length; i++) {
            if (inputs[i] != null && !operation.reads(i)) {
                inputs[i].close();
                inputs[i] = null;
            }
        }
        return new Application(
                operation,
                map(arrays, array -> Leaf.own(Torch.share(array.getManager(), array))),
                Arrays.stream(arrays).map(known).toArray(Leaf[]::new),
                inputs,
                Arrays.stream(outputs).map(Leaf::new).toArray(Leaf[]::new));
    }

    /** Returns the outputs for others to use and close. */
    NDArray[] results() {
        return Arrays.stream(outputs).map(Leaf::result).toArray(NDArray[]::new);
    }

    private static NDArray[] map(NDArray[] arrays, UnaryOperator<NDArray> function) {
        return Arrays.stream(arrays)
                .map(array -> array == null ? null : function.apply(array))
                .toArray(NDArray[]::new);
    }

    /**
     * Lets go of a tensor's memory in all handles of it. What remains is its place in the graph,
     * and one NaN that stands for every element.
     */
    static void discard(NDArray array) {
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = array.getManager();
            Shape one = new Shape(1);
            NDArray element = Torch.empty(manager, one, Torch.typeOf(array), array.getDevice());
            // fill_.Tensor(Tensor(a!) self, Tensor value) -> Tensor(a!)
            Torch.call(manager, "aten::fill_.Tensor", element, Scalars.of(Double.NaN));
            // A gradient's shape is checked against that of the tensor.
            NDArray all = scope.adopt(Torch.call(manager, "aten::expand_as", element, array));
            // set_data(Tensor(a!) self, Tensor new_data) -> ()
            Torch.callAll(manager, "aten::set_data", 0, array, all);
        }
    }

    /** Takes the gradients of the outputs into the part of the graph before. */
    void backward() {
        try (TensorScope scope = new TensorScope()) {
            NDArray[] gradients = new NDArray[outputs.length];
            boolean any = false;
            for (int i = 0; i < outputs.length; i++) {
                gradients[i] = outputs[i].gradient();
                any |= gradients[i] != null;
            }
            if (!any) {
                return;
            }
            boolean[] wanted = new boolean[sources.length];
            for (int i = 0; i < sources.length; i++) {
                wanted[i] = sources[i] != null && Torch.isDifferentiable(sources[i]);
            }
            NDArray[] pushed = operation.backward(gradients, wanted);
            for (int i = 0; i < sources.length; i++) {
                if (wanted[i] && pushed[i] != null) {
                    ScalarType type = Torch.typeOf(sources[i]);
                    NDArray gradient = scope.adopt(Torch.cast(scope.adopt(pushed[i]), type));
                    if (produced[i] == null) {
                        push(sources[i], gradient);
                    } else {
                        produced[i].hand(gradient);
                    }
                }
            }
        }
    }

    /** Runs autograd from a tensor down to the leaves before it. */
    static void push(NDArray target, NDArray gradient) {
        JniUtils.backward((PtNDArray) target, (PtNDArray) gradient, false, false);
    }

    @Override
    public void close() {
        operation.close();
        for (NDArray[] arrays : new NDArray[][] {sources, inputs}) {
            Arrays.stream(arrays).filter(Objects::nonNull).forEach(NDArray::close);
        }
        Arrays.stream(outputs).forEach(Leaf::close);
    }
}
