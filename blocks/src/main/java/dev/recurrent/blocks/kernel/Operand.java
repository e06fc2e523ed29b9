package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;

/** Tensors as kernels take them: row by row in memory, of a type that sources know. */
final class Operand {

    private static final int LOAD_BYTES = 16;

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

    /** Returns whether kernels read a type as it is: bfloat16 and float32. */
    static boolean isKnown(ScalarType type) {
        return type == ScalarType.BFLOAT16 || type == ScalarType.FLOAT32;
    }

    /** Returns a tensor as it is if it is bfloat16 or float32, else as float32. */
    static NDArray known(NDManager manager, NDArray array) {
        return Torch.typeOf(array) == ScalarType.BFLOAT16
                ? array
                : Torch.cast(manager, array, ScalarType.FLOAT32);
    }

    /** Returns a tensor whose last dimension lies without gaps; others may lie anyhow. */
    static NDArray denseRows(NDManager manager, NDArray array) {
        long[] strides = TensorMemory.strides(array);
        return strides[strides.length - 1] == 1 ? array : dense(manager, array);
    }

    /** Returns tensors as bfloat16 if all are, else as float32; null for null. */
    static NDArray[] readableAlike(NDManager manager, NDArray... arrays) {
        boolean narrow =
                Arrays.stream(arrays)
                        .allMatch(a -> a == null || Torch.typeOf(a) == ScalarType.BFLOAT16);
        return Arrays.stream(arrays)
                .map(a -> narrow ? dense(manager, a) : wide(manager, a))
                .toArray(NDArray[]::new);
    }

    /** Returns a tensor as float32; null for null. */
    static NDArray wide(NDManager manager, NDArray array) {
        return array == null
                ? null
                : dense(manager, Torch.cast(manager, array, ScalarType.FLOAT32));
    }

    /** Returns a tensor row by row in memory; null for null. */
    static NDArray dense(NDManager manager, NDArray array) {
        if (array == null || TensorMemory.isContiguous(array)) {
            return array;
        }
        // contiguous(Tensor self, *, MemoryFormat memory_format=contiguous_format)
        return Torch.call(manager, "aten::contiguous", array, 0);
    }

    /** Returns a dense tensor that begins where 16 bytes can be loaded at once; a view may not. */
    static NDArray aligned(NDManager manager, NDArray array) {
        // clone(Tensor self, *, MemoryFormat? memory_format)
        return TensorMemory.address(array) % LOAD_BYTES == 0
                ? array
                : Torch.call(manager, "aten::clone", array, null);
    }

    /** Returns a gradient as float32, row by row; zeros where there is none. */
    static NDArray wideOrZeros(NDManager manager, NDArray gradient, NDArray of) {
        return gradient == null
                ? Aten.zeros(manager, of.getShape(), ScalarType.FLOAT32, of.getDevice())
                : wide(manager, gradient);
    }

    /**
     * Returns a gradient row by row.
     *
     * @param manager owner of what has to be made
     * @param gradient null for zeros
     * @param shape its shape
     * @param like a tensor of the wanted type, on the device
     * @return the gradient, of that type
     */
    static NDArray likeOrZeros(NDManager manager, NDArray gradient, Shape shape, NDArray like) {
        ScalarType type = Torch.typeOf(like);
        return gradient == null
                ? Aten.zeros(manager, shape, type, like.getDevice())
                : dense(manager, Torch.cast(manager, gradient, type));
    }

    /** Returns a tensor of undefined contents, of an array's shape and the type it is read as. */
    static NDArray emptyReadable(NDManager manager, NDArray array) {
        ScalarType type =
                Torch.typeOf(array) == ScalarType.BFLOAT16
                        ? ScalarType.BFLOAT16
                        : ScalarType.FLOAT32;
        return Torch.empty(manager, array.getShape(), type, array.getDevice());
    }

    /**
     * Returns how many neighbours a lane can take at once.
     *
     * @param most a power of two; that many elements of the tensors are at most 16 bytes
     * @param size neighbours come in rows of this size
     * @param arrays what is read, where it lies; null is not read
     * @return a power of two that divides the size and where the tensors lie
     */
    static int neighbours(int most, long size, NDArray... arrays) {
        for (int count = most; count > 1; count /= 2) {
            if (size % count == 0 && areAligned(count, arrays)) {
                return count;
            }
        }
        return 1;
    }

    private static boolean areAligned(int count, NDArray... arrays) {
        for (NDArray array : arrays) {
            if (array != null
                    && TensorMemory.address(array) % ((long) count * Torch.typeOf(array).bytes())
                            != 0) {
                return false;
            }
        }
        return true;
    }

    /** Returns where a tensor lies on its device; 0 for null. */
    static long address(NDArray array) {
        return array == null ? 0 : TensorMemory.address(array);
    }

    /** Returns whether a readable tensor is float32. */
    static boolean isWide(NDArray array) {
        return Torch.typeOf(array) == ScalarType.FLOAT32;
    }

    /** Returns what sources call the type of a readable tensor. */
    static String type(NDArray array) {
        return type(Torch.typeOf(array));
    }

    /** Returns what sources call the type that a tensor of some type is read as. */
    static String type(ScalarType type) {
        return type == ScalarType.BFLOAT16 ? "bfloat16" : "float";
    }
}
