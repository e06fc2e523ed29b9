package dev.recurrent.blocks.cuda;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;

/** Tensors as kernels take them: row by row in memory, of a type that sources know. */
final class Operand {

    private Operand() {}

    /**
     * Refuses tensors of another device, whose addresses mean nothing to a kernel.
     *
     * @throws IllegalArgumentException if one of {@code others} does not lie where {@code first}
     *     does; null lies anywhere
     */
    static void requireSameDevice(NDArray first, NDArray... others) {
        for (NDArray other : others) {
            if (other != null && !other.getDevice().equals(first.getDevice())) {
                throw new IllegalArgumentException(
                        "All tensors of a kernel must lie on one device, not on "
                                + first.getDevice()
                                + " and "
                                + other.getDevice());
            }
        }
    }

    /** Returns a tensor, row by row, as it is if it is bfloat16 or float32, else as float32. */
    static NDArray readable(NDManager manager, NDArray array) {
        return dense(manager, known(manager, array));
    }

    /** Returns a tensor as it is if it is bfloat16 or float32, else as float32. */
    static NDArray known(NDManager manager, NDArray array) {
        return Torch.typeOf(array) == ScalarType.BFLOAT16
                ? array
                : Torch.cast(manager, array, ScalarType.FLOAT32);
    }

    /** Returns a tensor whose last dimension lies without gaps; others may lie anyhow. */
    static NDArray denseRows(NDManager manager, NDArray array) {
        long[] strides = Torch.strides(array);
        return strides[strides.length - 1] == 1 ? array : dense(manager, array);
    }

    /** Returns a tensor as float32; null for null. */
    static NDArray wide(NDManager manager, NDArray array) {
        return array == null
                ? null
                : dense(manager, Torch.cast(manager, array, ScalarType.FLOAT32));
    }

    /** Returns a tensor row by row in memory; null for null. */
    static NDArray dense(NDManager manager, NDArray array) {
        if (array == null || Torch.isContiguous(array)) {
            return array;
        }
        // contiguous(Tensor self, *, MemoryFormat memory_format=contiguous_format)
        return Torch.call(manager, "aten::contiguous", array, 0);
    }

    /** Returns where a tensor lies on its device; 0 for null. */
    static long address(NDArray array) {
        return array == null ? 0 : Torch.address(array);
    }

    /** Returns what sources call the type of a readable tensor. */
    static String type(NDArray array) {
        return Torch.typeOf(array) == ScalarType.BFLOAT16 ? "bfloat16" : "float";
    }
}
