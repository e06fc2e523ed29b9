package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;

/** Sums over the rows of a matrix in a fixed order, where blocks have left partial sums. */
final class ColumnSums {

    private static final KernelSource SOURCE = Sources.of("column_sums.cu");
    private static final int COLUMNS = 32;
    private static final int GROUPS = 32;
    private static final Constants CONSTANTS = Constants.none().with("GROUPS", GROUPS);

    private ColumnSums() {}

    /**
     * Sums.
     *
     * @param device where the matrix lies
     * @param matrix float32 of any shape, dense
     * @param columns the matrix's, a divisor of its size
     * @return float32 [columns], in the matrix's manager
     */
    static NDArray of(CudaDevice device, NDArray matrix, long columns) {
        NDArray sums =
                Torch.empty(
                        matrix.getManager(),
                        new Shape(columns),
                        ScalarType.FLOAT32,
                        matrix.getDevice());
        int blocks = Math.toIntExact((columns + COLUMNS - 1) / COLUMNS);
        device.kernel(SOURCE, CONSTANTS, "column_sums")
                .launch(
                        new Kernel.Size(blocks, 1, COLUMNS, GROUPS),
                        TensorMemory.address(matrix),
                        TensorMemory.address(sums),
                        matrix.size() / columns,
                        columns);
        return sums;
    }
}
