package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.FewRowsKernel;
import dev.recurrent.blocks.kernel.FewRowsKernel.Matrix;
import dev.recurrent.blocks.kernel.GatedProductOperation;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ConvertedWeights;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.Optional;

/**
 * x·Wᵀ + b, multiplied in the thread's {@link MatrixPrecision}. On CUDA tensors of few rows that
 * autograd does not record, {@link FewRowsKernel} reads W at the memory's speed, and does what else
 * is to be done with the products.
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
        return apply(x, new Matrix(weight, bias))[0];
    }

    /**
     * Multiplies by several matrices.
     *
     * @param x [..., in]
     * @param matrices W [out, in] and b
     * @return [..., out] for each, of x's type, in x's manager
     */
    public static NDArray[] apply(NDArray x, Matrix... matrices) {
        Optional<CudaDevice> device =
                matrices.length <= FewRowsKernel.MOST_MATRICES
                        ? kernel(x, matrices)
                        : Optional.empty();
        if (device.isPresent()) {
            return FewRowsKernel.apply(device.get(), x, converted(x, matrices));
        }
        return Arrays.stream(matrices)
                .map(matrix -> Aten.linear(x, matrix.weight(), matrix.bias()))
                .toArray(NDArray[]::new);
    }

    /**
     * Adds a product to something.
     *
     * @param addend [..., out]
     * @param x [..., in]
     * @param matrix W [out, in] and b
     * @return addend + x·Wᵀ + b, [..., out]
     */
    public static NDArray addTo(NDArray addend, NDArray x, Matrix matrix) {
        Optional<CudaDevice> device =
                GradientMode.records(addend) ? Optional.empty() : kernel(x, matrix);
        return device.isPresent()
                ? FewRowsKernel.addTo(device.get(), addend, x, converted(x, matrix)[0])
                : addend.add(apply(x, matrix)[0]);
    }

    /**
     * Gates one product by another, if there is a kernel that does so.
     *
     * @param function f
     * @param x [..., in]
     * @param gate W₁ [F, in] and b₁
     * @param matrix W₂ [F, in] and b₂
     * @return f(x·W₁ᵀ + b₁) · (x·W₂ᵀ + b₂), [..., F], of x's type; empty if there is none
     */
    public static Optional<NDArray> gated(
            GatedProductOperation.Function function, NDArray x, Matrix gate, Matrix matrix) {
        if (typeOf(gate) != ScalarType.BFLOAT16) {
            return Optional.empty();
        }
        return kernel(x, gate, matrix)
                .map(
                        device -> {
                            Matrix[] both = converted(x, gate, matrix);
                            return FewRowsKernel.gated(device, function, x, both[0], both[1]);
                        });
    }

    private static Optional<CudaDevice> kernel(NDArray x, Matrix... matrices) {
        Optional<CudaDevice> device = Kernels.on(x.getDevice());
        if (device.isEmpty() || GradientMode.records(x)) {
            return Optional.empty();
        }
        Shape shape = x.getShape();
        long inputs = shape.get(shape.dimension() - 1);
        ScalarType type = typeOf(matrices[0]);
        boolean fits = FewRowsKernel.fits(x.size() / inputs, inputs, type);
        for (Matrix matrix : matrices) {
            fits &= typeOf(matrix) == type && !GradientMode.records(matrix.weight(), matrix.bias());
        }
        return fits ? device : Optional.empty();
    }

    private static ScalarType typeOf(Matrix matrix) {
        ScalarType precision = MatrixPrecision.current().type();
        return precision == null ? Torch.typeOf(matrix.weight()) : precision;
    }

    private static Matrix[] converted(NDArray x, Matrix... matrices) {
        return Arrays.stream(matrices)
                .map(
                        matrix ->
                                new Matrix(
                                        ConvertedWeights.convert(x.getManager(), matrix.weight()),
                                        matrix.bias()))
                .toArray(Matrix[]::new);
    }
}
