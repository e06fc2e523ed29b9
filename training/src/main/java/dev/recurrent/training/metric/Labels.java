package dev.recurrent.training.metric;

import ai.djl.ndarray.NDArray;
import java.util.Arrays;

/**
 * What labels of token prediction mean: int64 [B, T], the id that should follow each token, or
 * {@link #IGNORED}.
 */
public final class Labels {

    /** The label of a token whose prediction does not count, as in PyTorch. */
    public static final long IGNORED = -100;

    private Labels() {}

    /**
     * Tells which labels count.
     *
     * @param labels int64, any shape
     * @return bool of the same shape
     */
    public static NDArray counted(NDArray labels) {
        return labels.neq(IGNORED);
    }

    /**
     * Returns how many labels count.
     *
     * @param labels int64, any shape; labels on a device are copied to the host
     * @return the number of labels that are not {@link #IGNORED}
     */
    public static long count(NDArray labels) {
        return count(labels.toLongArray());
    }

    static long count(long[] labels) {
        return Arrays.stream(labels).filter(label -> label != IGNORED).count();
    }
}
