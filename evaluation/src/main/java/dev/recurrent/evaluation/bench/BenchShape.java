package dev.recurrent.evaluation.bench;

/**
 * The size of inputs where the user chose it.
 *
 * @param batch B; 0 for each benchmark's own
 * @param length T; 0 for each benchmark's own
 */
public record BenchShape(int batch, int length) {

    /** Checks the values. */
    public BenchShape {
        if (batch < 0 || length < 0) {
            throw new IllegalArgumentException(
                    "batch and length must be >= 1, not " + batch + " and " + length);
        }
    }

    int batchOr(int other) {
        return batch == 0 ? other : batch;
    }

    int lengthOr(int other) {
        return length == 0 ? other : length;
    }
}
