package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * x·Wᵀ + b for as few rows as decoding has: W is read once, at the memory's speed, and is on its
 * way before the kernel that makes x has ended. Several matrices that multiply one x are one
 * launch. Products of bfloat16 weights round x to bfloat16; sums are fp32. Autograd records nothing
 * of it.
 */
public final class FewRowsKernel {

    /** The most matrices of a launch: the most parameters of a kernel. */
    public static final int MOST_MATRICES = 5;

    private static final int LANES = 32;

    /** Beyond, tensor cores want tiles through shared memory, which the library has. */
    private static final int MOST_ROWS = 16;

    /** Beyond, fp32 arithmetic outlasts the reading. */
    private static final int MOST_ROWS_WIDE = 4;

    /** Arguments before the matrices, and of each matrix. */
    private static final int ARGUMENTS = 3;

    private static final int MATRIX_ARGUMENTS = 5;

    private static final Map<FewRowsVariant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private FewRowsKernel() {}

    /**
     * What x is multiplied by.
     *
     * @param weight W [out, in], bfloat16 or float32
     * @param bias b [out]; null for none
     */
    public record Matrix(NDArray weight, NDArray bias) {

        private long outputs() {
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
            Call call = new Call(device, x, matrices);
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
            Call call = new Call(device, x, gate, matrix);
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
            Call call = new Call(device, x, matrix);
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

    private static boolean isWide(Matrix matrix) {
        return Torch.typeOf(matrix.weight()) == ScalarType.FLOAT32;
    }

    private static String describe(Matrix matrix) {
        return Torch.typeOf(matrix.weight()).toString() + matrix.weight().getShape();
    }

    /** A launch: checked and readable inputs. */
    private static final class Call {

        private final CudaDevice device;
        private final NDArray x;
        private final Matrix[] matrices;
        private final long in;
        private final int rows;
        private final Shape rowShape;

        Call(CudaDevice device, NDArray given, Matrix... unread) {
            this.device = device;
            Shape shape = given.getShape();
            in = unread[0].weight().getShape().get(1);
            rows = Math.toIntExact(given.size() / in);
            rowShape = shape.slice(0, shape.dimension() - 1);
            for (Matrix matrix : unread) {
                Operand.requireSameDevice(given, matrix.weight(), matrix.bias());
                check(shape, matrix, unread);
            }
            NDManager manager = given.getManager();
            x = Operand.aligned(manager, Operand.readable(manager, given));
            matrices = readable(manager, unread);
        }

        private void check(Shape shape, Matrix matrix, Matrix... all) {
            NDArray bias = matrix.bias();
            ScalarType type = Torch.typeOf(matrix.weight());
            if (shape.get(shape.dimension() - 1) != in
                    || matrix.weight().getShape().get(1) != in
                    || !fits(rows, in, type)
                    || type != Torch.typeOf(all[0].weight())
                    || all.length > MOST_MATRICES
                    || (bias != null && bias.size() != matrix.outputs())) {
                throw new IllegalArgumentException(
                        "x " + shape + " is not for weights " + describe(matrix));
            }
        }

        /** Biases become of one type. */
        private static Matrix[] readable(NDManager manager, Matrix... unread) {
            List<ScalarType> types =
                    Arrays.stream(unread)
                            .filter(matrix -> matrix.bias() != null)
                            .map(matrix -> Torch.typeOf(matrix.bias()))
                            .distinct()
                            .toList();
            List<Matrix> read = new ArrayList<>();
            for (Matrix matrix : unread) {
                NDArray bias = matrix.bias();
                if (bias != null) {
                    bias =
                            types.size() == 1
                                    ? Operand.readable(manager, bias)
                                    : Operand.wide(manager, bias);
                }
                NDArray weight = Operand.aligned(manager, Operand.dense(manager, matrix.weight()));
                read.add(new Matrix(weight, bias));
            }
            return read.toArray(Matrix[]::new);
        }

        ScalarType xType() {
            return Torch.typeOf(x);
        }

        NDArray empty(Matrix matrix, ScalarType type) {
            Shape shape = rowShape.add(matrix.outputs());
            return Torch.empty(x.getManager(), shape, type, x.getDevice());
        }

        void launch(GatedProductOperation.Function gate, NDArray addend, NDArray... results) {
            FewRowsVariant.Product product =
                    new FewRowsVariant.Product(
                            Operand.type(x),
                            Operand.type(results[0]),
                            biasType(),
                            isWide(matrices[0]),
                            matrices.length,
                            gate);
            int launched = gate == null ? matrices.length : 1;
            long outputs = Arrays.stream(matrices).limit(launched).mapToLong(Matrix::outputs).sum();
            FewRowsVariant variant = FewRowsVariant.of(device, product, rows, outputs);
            int ofBlock = variant.outputsOfBlock();
            long blocks =
                    Arrays.stream(matrices)
                            .limit(launched)
                            .mapToLong(matrix -> (matrix.outputs() + ofBlock - 1) / ofBlock)
                            .sum();
            device.kernel(
                            variant.source(),
                            CONSTANTS.computeIfAbsent(variant, FewRowsVariant::constants),
                            "few_rows")
                    .launchEarly(
                            new Kernel.Size(
                                    Math.toIntExact(blocks),
                                    1,
                                    LANES,
                                    variant.warps(),
                                    variant.sharedBytes()),
                            arguments(addend, results));
        }

        private String biasType() {
            return Arrays.stream(matrices)
                    .filter(matrix -> matrix.bias() != null)
                    .map(matrix -> Operand.type(matrix.bias()))
                    .findFirst()
                    .orElse("float");
        }

        private long[] arguments(NDArray addend, NDArray... results) {
            long[] arguments = new long[ARGUMENTS + MATRIX_ARGUMENTS * matrices.length];
            arguments[0] = TensorMemory.address(x);
            arguments[1] = rows;
            arguments[2] = in;
            for (int i = 0; i < matrices.length; i++) {
                int at = ARGUMENTS + MATRIX_ARGUMENTS * i;
                arguments[at] = TensorMemory.address(matrices[i].weight());
                arguments[at + 1] = Operand.address(matrices[i].bias());
                arguments[at + 2] = Operand.address(addend);
                arguments[at + 3] = TensorMemory.address(results[i]);
                arguments[at + 4] = matrices[i].outputs();
            }
            return arguments;
        }
    }
}
