package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.GatedProductOperation;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * act(gate) · x, computed in fp32 and rounded to the gate's type, as gated MLPs (arXiv 2002.05202)
 * and the recurrent block of Griffin (arXiv 2402.19427, section 2.3) have it. On CUDA, {@link
 * GatedProductOperation} does it in one pass for SiLU and GELU.
 */
public final class GatedProduct {

    private GatedProduct() {}

    /**
     * Gates a tensor.
     *
     * @param activation act
     * @param gate [..., F]
     * @param x [..., F], of any floating type
     * @return [..., F], of the gate's type
     */
    public static NDArray apply(Activation activation, NDArray gate, NDArray x) {
        return of(activation, gate, x).value();
    }

    /** As {@link #apply}, yet to be computed. */
    public static Intermediate of(Activation activation, NDArray gate, NDArray x) {
        return new Intermediate(
                kernel(activation, gate, x),
                () -> portable(activation, gate, x),
                gate.getShape(),
                Torch.typeOf(gate),
                gate,
                x);
    }

    private static Optional<Supplier<Operation>> kernel(
            Activation activation, NDArray gate, NDArray x) {
        Optional<GatedProductOperation.Function> function = function(activation);
        if (function.isEmpty()) {
            return Optional.empty();
        }
        Optional<CudaDevice> device = Kernels.taking(gate, x);
        return device.map(found -> () -> new GatedProductOperation(found, function.get()));
    }

    /** Returns what kernels call an activation; empty if they do not know it. */
    static Optional<GatedProductOperation.Function> function(Activation activation) {
        return switch (activation) {
            case SILU -> Optional.of(GatedProductOperation.Function.SILU);
            case GELU_TANH -> Optional.of(GatedProductOperation.Function.GELU_TANH);
            case RELU, IDENTITY, ELU_PLUS_ONE -> Optional.empty();
        };
    }

    private static NDArray portable(Activation activation, NDArray gate, NDArray x) {
        NDArray gated = activation.apply(wide(gate)).mul(wide(x));
        return Torch.cast(gated, Torch.typeOf(gate)); // [..., F]
    }

    private static NDArray wide(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32);
    }
}
