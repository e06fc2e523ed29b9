package dev.recurrent.training.data;

/**
 * Where a dataset stands.
 *
 * @param epoch how many times all data were passed
 * @param batch the next batch of the present epoch, from 0
 */
public record DataCursor(long epoch, long batch) {

    /** The first batch of all. */
    public static final DataCursor START = new DataCursor(0, 0);

    /** Checks the values. */
    public DataCursor {
        if (epoch < 0 || batch < 0) {
            throw new IllegalArgumentException(
                    "A cursor needs epoch and batch >= 0, not " + epoch + " and " + batch);
        }
    }
}
