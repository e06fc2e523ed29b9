package dev.recurrent.zoo.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.List;

/**
 * A tensor to write, as the tensors that it consists of, one below the other: blocks fuse
 * projections that files keep apart, and the other way round.
 *
 * @param shape the shape in the file, [R, ...]
 * @param parts tensors of one element type, each with the elements of some whole rows, in order;
 *     views will do
 */
public record TensorSlices(Shape shape, List<NDArray> parts) {

    /**
     * Checks that the parts make up the shape.
     *
     * @throws IllegalArgumentException if they do not
     */
    public TensorSlices {
        parts = List.copyOf(parts);
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("A tensor needs at least one part");
        }
        long rowSize = shape.dimension() == 0 ? 1 : shape.slice(1).size();
        ScalarType type = Torch.typeOf(parts.get(0));
        long elements = 0;
        for (NDArray part : parts) {
            long size = part.getShape().size();
            elements += size;
            if (rowSize > 0 && size % rowSize != 0) {
                throw new IllegalArgumentException(
                        "A part of shape " + part.getShape() + " is no whole rows of " + shape);
            }
            if (Torch.typeOf(part) != type) {
                throw new IllegalArgumentException(
                        "Parts must be of one type, not " + type + " and " + Torch.typeOf(part));
            }
        }
        if (elements != shape.size()) {
            throw new IllegalArgumentException(
                    "The parts have " + elements + " elements, but the shape is " + shape);
        }
    }

    /**
     * Takes a tensor as it is.
     *
     * @param tensor the whole tensor
     * @return the one slice
     */
    public static TensorSlices of(NDArray tensor) {
        return new TensorSlices(tensor.getShape(), List.of(tensor));
    }

    /** Returns the element type of the parts. */
    ScalarType type() {
        return Torch.typeOf(parts.get(0));
    }
}
