package dev.recurrent.blocks.autograd;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
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
import java.util.function.UnaryOperator;

/**
 * An operation that was applied: the place where autograd's graph is cut.
 *
 * @param operation what was applied
 * @param sources its inputs as the part of the graph before knows them
 * @param inputs the same values without their graph; null for those that the operation's backward
 *     does not read
 * @param outputs its outputs as the part of the graph after knows them: leaves
 */
record Application(Operation operation, NDArray[] sources, NDArray[] inputs, NDArray[] outputs)
        implements AutoCloseable {

    /** Runs an operation and makes its outputs leaves. */
    static Application of(Operation operation, NDArray... arrays) {
        NDArray[] inputs = map(arrays, array -> own(Torch.detach(array.getManager(), array)));
        NDArray[] outputs = GradientMode.off(() -> operation.forward(inputs));
        for (NDArray output : outputs) {
            own(output).setRequiresGradient(true);
        }
        for (int i = 0; i < inputs.length; i++) {
            if (inputs[i] != null && !operation.reads(i)) {
                inputs[i].close();
                inputs[i] = null;
            }
        }
        return new Application(operation, map(arrays, array -> own(share(array))), inputs, outputs);
    }

    /** Returns the outputs for others to use and close. */
    NDArray[] results() {
        return map(outputs, Application::share);
    }

    private static NDArray share(NDArray array) {
        return Torch.share(array.getManager(), array);
    }

    /** Lets this class alone close a tensor. */
    private static NDArray own(NDArray array) {
        NDScope.unregister(array);
        return array;
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
                gradients[i] = JniUtils.getGradient((PtNDArray) outputs[i]);
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
                    push(sources[i], scope.adopt(Torch.cast(scope.adopt(pushed[i]), type)));
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
        for (NDArray[] arrays : new NDArray[][] {sources, inputs, outputs}) {
            Arrays.stream(arrays).filter(Objects::nonNull).forEach(NDArray::close);
        }
    }
}
