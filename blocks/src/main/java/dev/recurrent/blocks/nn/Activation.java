package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.torch.Aten;
import java.util.function.UnaryOperator;

/** Pointwise activations, under the names that configurations use. */
public enum Activation {
    SILU(Aten::silu),
    GELU_TANH(Aten::geluTanh),
    RELU(Aten::relu),
    IDENTITY(x -> x),
    /** elu(x) + 1, positive everywhere. */
    ELU_PLUS_ONE(Aten::eluPlusOne);

    private final UnaryOperator<NDArray> function;

    Activation(UnaryOperator<NDArray> function) {
        this.function = function;
    }

    /** Applies the activation to a tensor of any shape. */
    public NDArray apply(NDArray x) {
        return function.apply(x);
    }
}
