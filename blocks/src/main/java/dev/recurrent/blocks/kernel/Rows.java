package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.torch.TensorMemory;

/**
 * A tensor as rows that are dense in themselves and begin equally far apart, such as a part of a
 * joined projection.
 *
 * @param array where the first row begins
 * @param width elements of a row
 * @param stride elements from one row's begin to the next's
 */
record Rows(NDArray array, long width, long stride) {

    /**
     * Looks at a tensor as rows, and copies it where it does not lie so.
     *
     * @param manager owner of a copy
     * @param array [..., least], bfloat16 or float32
     * @param least the last dimension; where several trailing dimensions are dense, rows are longer
     * @return the rows
     */
    static Rows of(NDManager manager, NDArray array, long least) {
        if (!TensorMemory.isContiguous(array)) {
            Rows rows = strided(array);
            if (rows != null) {
                return rows;
            }
        }
        return dense(manager, array, least);
    }

    /** Rows one after the other, copied where they do not lie so. */
    static Rows dense(NDManager manager, NDArray array, long width) {
        return new Rows(Operand.dense(manager, array), width, width);
    }

    private static Rows strided(NDArray array) {
        long[] sizes = array.getShape().getShape();
        long[] strides = TensorMemory.strides(array);
        int axis = sizes.length - 1;
        long width = 1;
        while (axis >= 0 && (sizes[axis] == 1 || strides[axis] == width)) {
            width *= sizes[axis--];
        }
        long stride = axis < 0 ? width : strides[axis];
        long expected = stride;
        for (; axis >= 0; axis--) {
            if (sizes[axis] != 1 && strides[axis] != expected) {
                return null;
            }
            expected *= sizes[axis];
        }
        return width == 1 || stride < width ? null : new Rows(array, width, stride);
    }
}
