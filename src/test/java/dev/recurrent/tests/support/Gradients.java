package dev.recurrent.tests.support;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.UnaryOperator;

/**
 * Outputs of a function and the gradients of Σ weights · outputs in its inputs, as float32.
 *
 * @param outputs as the function returns them
 * @param inputs a gradient for each input; null where there is none
 */
public record Gradients(NDArray[] outputs, NDArray[] inputs) {

    /** By PyTorch's autograd alone. */
    public static Gradients recorded(
            UnaryOperator<NDArray[]> function, NDArray[] weights, NDArray... inputs) {
        return GradientMode.on(
                () -> {
                    NDArray[] leaves = leaves(inputs);
                    try (GradientCollector collector =
                            Engine.getInstance().newGradientCollector()) {
                        NDArray[] outputs = function.apply(leaves);
                        collector.backward(weigh(outputs, weights));
                        return of(outputs, leaves);
                    }
                });
    }

    /** With a tape, which lets operations run that have gradients of their own. */
    public static Gradients taped(
            UnaryOperator<NDArray[]> function, NDArray[] weights, NDArray... inputs) {
        return GradientMode.on(
                () -> {
                    NDArray[] leaves = leaves(inputs);
                    try (Tape tape = Tape.open(false)) {
                        NDArray[] outputs = function.apply(leaves);
                        NDArray loss = weigh(outputs, weights);
                        tape.backward(loss, loss.onesLike());
                        return of(outputs, leaves);
                    }
                });
    }

    private static NDArray[] leaves(NDArray... inputs) {
        return map(
                inputs,
                input -> {
                    NDArray leaf =
                            GradientMode.off(
                                    () ->
                                            // clone(Tensor self, *, MemoryFormat? memory_format)
                                            Torch.call(
                                                    input.getManager(),
                                                    "aten::clone",
                                                    input,
                                                    null));
                    leaf.setRequiresGradient(true);
                    return leaf;
                });
    }

    /** An output without a weight has no gradient. */
    private static NDArray weigh(NDArray[] outputs, NDArray... weights) {
        NDArray loss = null;
        for (int i = 0; i < outputs.length; i++) {
            if (weights[i] != null) {
                NDArray wide = Torch.cast(outputs[i], ScalarType.FLOAT32);
                NDArray term = wide.mul(weights[i]).sum();
                loss = loss == null ? term : loss.add(term);
            }
        }
        return Objects.requireNonNull(loss, "Some output needs a weight");
    }

    private static Gradients of(NDArray[] outputs, NDArray... leaves) {
        return GradientMode.off(
                () ->
                        new Gradients(
                                map(outputs, Gradients::wide),
                                map(leaves, leaf -> wide(gradient(leaf)))));
    }

    private static NDArray gradient(NDArray leaf) {
        return JniUtils.getGradient((PtNDArray) leaf);
    }

    private static NDArray wide(NDArray array) {
        return array == null
                ? null
                : Torch.cast(Torch.detach(array.getManager(), array), ScalarType.FLOAT32);
    }

    private static NDArray[] map(NDArray[] arrays, UnaryOperator<NDArray> function) {
        return Arrays.stream(arrays)
                .map(array -> array == null ? null : function.apply(array))
                .toArray(NDArray[]::new);
    }
}
