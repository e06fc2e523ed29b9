package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;

/** How many elements a thread reads and writes at once. */
final class Packs {

    /** The widest load of a thread, and the alignment that it asks for. */
    private static final int MOST_BYTES = 16;

    private Packs() {}

    /** Returns how many elements of bfloat16, or of float32 where there are none, fill a load. */
    static int fullest(NDArray... tensors) {
        int least = Float.BYTES;
        for (NDArray tensor : tensors) {
            if (tensor != null && Torch.typeOf(tensor) == ScalarType.BFLOAT16) {
                least = ScalarType.BFLOAT16.bytes();
            }
        }
        return MOST_BYTES / least;
    }

    /**
     * Returns the size of packs that rows can be read in.
     *
     * @param most a power of two
     * @param lengths of rows and between rows, in elements; as many as all of them are multiples of
     * @param tensors dense, where packs must be aligned; null stands for no tensor
     * @return a power of two, at most {@code most}
     */
    static int size(int most, long[] lengths, NDArray... tensors) {
        long size = most;
        for (long length : lengths) {
            size = length == 0 ? size : Math.min(size, Long.lowestOneBit(length));
        }
        for (NDArray tensor : tensors) {
            if (tensor != null) {
                int bytes = Torch.typeOf(tensor).bytes();
                while (TensorMemory.address(tensor) % Math.min(MOST_BYTES, size * bytes) != 0) {
                    size /= 2;
                }
            }
        }
        return Math.toIntExact(size);
    }
}
