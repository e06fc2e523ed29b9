package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.kernel.FewRowsKernel.Matrix;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A launch of {@link FewRowsKernel}: its inputs, checked and readable. */
final class FewRowsCall {

    private static final int LANES = 32;

    /** Arguments before the matrices, and of each matrix. */
    private static final int ARGUMENTS = 3;

    private static final int MATRIX_ARGUMENTS = 5;

    private static final Map<FewRowsVariant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private final CudaDevice device;
    private final NDArray x;
    private final Matrix[] matrices;
    private final long in;
    private final int rows;
    private final Shape rowShape;

    FewRowsCall(CudaDevice device, NDArray given, Matrix... unread) {
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
                || !FewRowsKernel.fits(rows, in, type)
                || type != Torch.typeOf(all[0].weight())
                || all.length > FewRowsKernel.MOST_MATRICES
                || (bias != null && bias.size() != matrix.outputs())) {
            throw new IllegalArgumentException(
                    "x " + shape + " is not for weights " + FewRowsKernel.describe(matrix));
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
                        FewRowsKernel.isWide(matrices[0]),
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
