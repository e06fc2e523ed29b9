package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.FewRowsKernel;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ConvertedWeights;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;

/**
 * x·Wᵀ + b, multiplied in the thread's {@link MatrixPrecision}. On CUDA tensors of few rows that
 * autograd does not record, {@link FewRowsKernel} reads W at the memory's speed.
 */
public final class LinearMap {

    private LinearMap() {}

    /**
     * Multiplies.
     *
     * @param x [..., in]
     * @param weight W [out, in]
     * @param bias b [out]; null for none
     * @return [..., out], of x's type, in x's manager
     */
    public static NDArray apply(NDArray x, NDArray weight, NDArray bias) {
        Optional<CudaDevice> device = Kernels.on(x.getDevice());
        if (device.isPresent() && fits(x, weight) && !GradientMode.records(x, weight, bias)) {
            NDArray w = ConvertedWeights.convert(x.getManager(), weight);
            return FewRowsKernel.apply(device.get(), x, w, bias);
        }
        return Aten.linear(x, weight, bias);
    }

    private static boolean fits(NDArray x, NDArray weight) {
        ScalarType precision = MatrixPrecision.current().type();
        ScalarType type = precision == null ? Torch.typeOf(weight) : precision;
        Shape shape = x.getShape();
        long inputs = shape.get(shape.dimension() - 1);
        return FewRowsKernel.fits(x.size() / inputs, inputs, type);
    }
}
