package dev.recurrent.zoo.checkpoint;

import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import java.nio.file.Path;

/**
 * What a file says of one tensor.
 *
 * @param file the file that holds it
 * @param name its name
 * @param type its element type in the file
 * @param shape its shape, row-major
 * @param begin where its first byte lies, from the start of the file
 * @param end where its last byte ends
 */
public record TensorInfo(
        Path file, String name, ScalarType type, Shape shape, long begin, long end) {

    /** Returns its size in the file, in bytes. */
    public long bytes() {
        return end - begin;
    }

    /** Returns the number of its elements. */
    public long elements() {
        return bytes() / type.bytes();
    }
}
