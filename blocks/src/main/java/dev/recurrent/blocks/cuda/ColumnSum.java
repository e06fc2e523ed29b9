package dev.recurrent.blocks.cuda;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;

/** Adds up, in a fixed order, what the blocks of a kernel left of a sum each. */
final class ColumnSum {

    private static final KernelSource SOURCE = KernelSource.of("column_sum.cu");
    private static final int LANES = 32;
    private static final int WARPS = 8;
    private static final Constants CONSTANTS = Constants.none().with("WARPS", WARPS);

    private ColumnSum() {}

    /**
     * Sums the columns of a matrix.
     *
     * @param device where it lies
     * @param matrix float32, rows · columns elements, row by row
     * @param rows how many
     * @param columns how many
     * @return float32 [columns], in the matrix's manager
     */
    static NDArray of(CudaDevice device, NDArray matrix, long rows, long columns) {
        NDArray sums =
                Torch.empty(
                        matrix.getManager(),
                        new Shape(columns),
                        ScalarType.FLOAT32,
                        matrix.getDevice());
        int blocks = Math.toIntExact((columns + LANES - 1) / LANES);
        device.kernel(SOURCE, CONSTANTS, "column_sum")
                .launch(
                        new Kernel.Size(blocks, 1, LANES, WARPS),
                        Torch.address(matrix),
                        Torch.address(sums),
                        rows,
                        columns);
        return sums;
    }
}
