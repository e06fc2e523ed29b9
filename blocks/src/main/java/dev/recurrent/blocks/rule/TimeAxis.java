package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;

/** Cutting and joining tensors [B, T, …] along time. */
final class TimeAxis {

    private TimeAxis() {}

    /** Views tokens [start, start + length). */
    static NDArray narrow(NDArray x, long start, long length) {
        return Aten.narrow(x, 1, start, length);
    }

    /** Joins two tensors along time. */
    static NDArray join(NDArray before, NDArray after) {
        return NDArrays.concat(new NDList(before, after), 1);
    }

    /** Puts tokens of zeros before and behind. */
    static NDArray pad(NDArray x, long before, long behind) {
        NDArray padded = before == 0 ? x : join(zeros(x, before), x);
        return behind == 0 ? padded : join(padded, zeros(x, behind));
    }

    private static NDArray zeros(NDArray like, long length) {
        long[] shape = like.getShape().getShape().clone();
        shape[1] = length;
        return Aten.zeros(
                like.getManager(), new Shape(shape), Torch.typeOf(like), like.getDevice());
    }

    /** Returns how many tokens are missing for the last block to be whole. */
    static long missing(long length, long block) {
        return Math.floorMod(-length, block);
    }

    /** Returns the blocks of C tokens, [B, n·C, …] → [B·n, C, …]. */
    static NDArray blocks(NDArray x, long block) {
        long[] shape = x.getShape().getShape().clone();
        shape[0] = shape[0] * shape[1] / block;
        shape[1] = block;
        return x.reshape(new Shape(shape));
    }

    /**
     * Returns overlapping windows that start every C tokens, [B, size + (n-1)·C, …] → [B·n, size,
     * …]; a view if B is 1.
     */
    static NDArray windows(NDArray x, long size, long block) {
        // The operator puts the tokens of a window last.
        NDArray windows = Torch.call(x.getManager(), "aten::unfold", x, 1, size, block);
        int dimensions = windows.getShape().dimension();
        int[] order = new int[dimensions];
        order[1] = 1;
        order[2] = dimensions - 1;
        for (int i = 3; i < dimensions; i++) {
            order[i] = i - 1;
        }
        NDArray ordered = windows.transpose(order); // [B, n, size, …]
        long[] shape = ordered.getShape().getShape();
        long[] folded = Arrays.copyOfRange(shape, 1, dimensions);
        folded[0] = shape[0] * shape[1];
        return ordered.reshape(new Shape(folded));
    }
}
