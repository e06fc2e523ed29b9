package dev.recurrent.training.data;

/** Token ids that can be read from anywhere. */
interface Tokens extends AutoCloseable {

    long size();

    /**
     * Reads ids.
     *
     * @param from the first one
     * @param target takes them
     * @param offset where in the target
     * @param length how many
     */
    void read(long from, long[] target, int offset, int length);

    @Override
    void close();
}
