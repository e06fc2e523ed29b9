package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;

/**
 * A tensor [B, T, heads, n] as kernels take it that know distances between rows: the n elements of
 * a head lie side by side, all else may be a view of a wider tensor.
 *
 * @param array [B, T, heads, n]
 * @param row elements from one of B to the next
 * @param token elements from one of T to the next
 * @param head elements from one head to the next
 */
record HeadRows(NDArray array, long row, long token, long head) {

    /** What 16-byte copies want of addresses. */
    private static final int ALIGNMENT = 16;

    /**
     * Takes a tensor as it lies if its rows are dense, and begin at multiples of 16 bytes where
     * they can.
     *
     * @param manager of what has to be made
     * @param array [B, T, heads, n]
     * @param type what to convert it to
     * @return the tensor
     */
    static HeadRows of(NDManager manager, NDArray array, ScalarType type) {
        HeadRows rows = view(Torch.cast(manager, array, type));
        boolean suits = rows.isDense() && (rows.isAligned() || !rows.isEven());
        return suits ? rows : view(Operand.dense(manager, rows.array));
    }

    private static HeadRows view(NDArray array) {
        long[] strides = TensorMemory.strides(array);
        return new HeadRows(array, strides[0], strides[1], strides[2]);
    }

    private boolean isDense() {
        return size(3) == 1 || TensorMemory.strides(array)[3] == 1;
    }

    /** Returns whether all rows begin at multiples of 16 bytes and are as long. */
    boolean isAligned() {
        return TensorMemory.address(array) % ALIGNMENT == 0
                && isEven()
                && isEven(0, row)
                && isEven(1, token)
                && isEven(2, head);
    }

    /** Returns whether rows would begin at multiples of 16 bytes in a tensor of their own. */
    private boolean isEven() {
        return bytes(size(3)) % ALIGNMENT == 0;
    }

    private boolean isEven(int dimension, long stride) {
        return size(dimension) == 1 || bytes(stride) % ALIGNMENT == 0;
    }

    private long bytes(long elements) {
        return elements * Torch.typeOf(array).bytes();
    }

    private long size(int dimension) {
        return array.getShape().get(dimension);
    }
}
