package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;

/**
 * x·Wᵀ + b for as few rows as decoding has: W is read once, at the memory's speed, and is on its
 * way before the kernel that makes x has ended. Several matrices that multiply one x are one
 * launch. Products of bfloat16 weights round x to bfloat16; sums are fp32. Autograd records nothing
 * of it.
 */
public final class FewRowsKernel {

    /** The most matrices of a launch: the most parameters of a kernel. */
    public static final int MOST_MATRICES = 5;

    /** Beyond, tensor cores want tiles through shared memory, which the library has. */
    private static final int MOST_ROWS = 16;

    /** Beyond, fp32 arithmetic outlasts the reading. */
    private static final int MOST_ROWS_WIDE = 4;

    private FewRowsKernel() {}

    /**
     * What x is multiplied by.
     *
     * @param weight W [out, in], bfloat16 or float32
     * @param bias b [out]; null for none
     */
    public record Matrix(NDArray weight, NDArray bias) {

        long outputs() {
            return weight.getShape().get(0);
        }
    }

    /**
     * Returns whether the kernel is for such a product.
     *
     * @param rows how many rows x has, all but its last dimension together
     * @param inputs the last dimension of x
     * @param type the type of the weights
     * @return whether products can be computed
     */
    public static boolean fits(long rows, long inputs, ScalarType type) {
        return switch (type) {
            case BFLOAT16 -> rows <= MOST_ROWS && inputs % 8 == 0;
            case FLOAT32 -> rows <= MOST_ROWS_WIDE && inputs % 4 == 0;
            default -> false;
        };
    }

    /**
     * Multiplies by several matrices.
     *
     * @param device where the tensors lie
     * @param x [..., in]; bfloat16 and float32 are read as they are, other types are converted
     * @param matrices up to {@value #MOST_MATRICES}, with weights of one type
     * @return [..., out] for each, of x's type, in x's manager
     * @throws IllegalArgumentException if shapes do not fit, or the tensors lie on several devices
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static NDArray[] apply(CudaDevice device, NDArray x, Matrix... matrices) {
        try (TensorScope scope = new TensorScope()) {
            FewRowsCall call = new FewRowsCall(device, x, matrices);
            NDArray[] results = new NDArray[matrices.length];
            for (int i = 0; i < results.length; i++) {
                results[i] = call.empty(matrices[i], call.xType());
            }
            call.launch(null, null, results);
            for (int i = 0; i < results.length; i++) {
                results[i] = scope.pass(Torch.cast(x.getManager(), results[i], Torch.typeOf(x)));
            }
            return results;
        }
    }

    /**
     * Gates one product by another: f(x·W₁ᵀ + b₁) · (x·W₂ᵀ + b₂), both rounded to x's type before.
     *
     * @param device where the tensors lie
     * @param function f
     * @param x [..., in], as for {@link #apply}
     * @param gate W₁ [F, in], bfloat16, and b₁
     * @param matrix W₂ [F, in], bfloat16, and b₂
     * @return [..., F], of x's type, in x's manager
     * @throws IllegalArgumentException as {@link #apply}
     * @throws CudaException as {@link #apply}
     */
    public static NDArray gated(
            CudaDevice device,
            GatedProductOperation.Function function,
            NDArray x,
            Matrix gate,
            Matrix matrix) {
        if (gate.outputs() != matrix.outputs() || isWide(gate)) {
            throw new IllegalArgumentException(
                    "A gated product needs two bfloat16 matrices of one shape, not "
                            + describe(gate)
                            + " and "
                            + describe(matrix));
        }
        try (TensorScope scope = new TensorScope()) {
            FewRowsCall call = new FewRowsCall(device, x, gate, matrix);
            NDArray y = call.empty(gate, call.xType());
            call.launch(function, null, y, y);
            return scope.pass(Torch.cast(x.getManager(), y, Torch.typeOf(x)));
        }
    }

    /**
     * Adds a product, rounded to x's type, to something.
     *
     * @param device where the tensors lie
     * @param addend [..., out], bfloat16 or float32
     * @param x [..., in], as for {@link #apply}
     * @param matrix W [out, in] and b
     * @return [..., out], of the addend's type, in its manager
     * @throws IllegalArgumentException as {@link #apply}
     * @throws CudaException as {@link #apply}
     */
    public static NDArray addTo(CudaDevice device, NDArray addend, NDArray x, Matrix matrix) {
        try (TensorScope scope = new TensorScope()) {
            FewRowsCall call = new FewRowsCall(device, x, matrix);
            NDArray dense = Operand.readable(addend.getManager(), addend);
            NDArray y = call.empty(matrix, Torch.typeOf(dense));
            if (!y.getShape().equals(addend.getShape())) {
                throw new IllegalArgumentException(
                        "A product " + y.getShape() + " cannot be added to " + addend.getShape());
            }
            call.launch(null, dense, y);
            return scope.pass(Torch.cast(addend.getManager(), y, Torch.typeOf(addend)));
        }
    }

    static boolean isWide(Matrix matrix) {
        return Torch.typeOf(matrix.weight()) == ScalarType.FLOAT32;
    }

    static String describe(Matrix matrix) {
        return Torch.typeOf(matrix.weight()).toString() + matrix.weight().getShape();
    }
}
