package dev.recurrent.training.data;

/** A task whose examples are drawn: ids [T], and labels [T] where an answer is wanted. */
public interface SyntheticTask {

    /** Returns T. */
    int length();

    /** Returns one more than the greatest id. */
    long vocabulary();

    /**
     * Draws an example.
     *
     * @param seed of all examples
     * @param index which one
     * @return the example, a function of both numbers
     */
    Example example(long seed, long index);

    /**
     * An example.
     *
     * @param ids [T]
     * @param labels [T], {@link dev.recurrent.training.metric.Labels#IGNORED} where nothing is
     *     asked
     */
    record Example(long[] ids, long[] labels) {}
}
