package dev.recurrent.training.data;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;

/** A number of examples of a task, in another order in every epoch. */
public final class SyntheticDataset extends ResumableDataset {

    private final SyntheticTask task;
    private final long examples;
    private final int batch;
    private final long seed;

    /**
     * Constructs a dataset.
     *
     * @param task what to draw
     * @param examples how many
     * @param batch B
     * @param seed of the examples and their order
     * @throws IllegalArgumentException if there are fewer examples than B, or B is not positive
     */
    public SyntheticDataset(SyntheticTask task, long examples, int batch, long seed) {
        if (batch < 1 || examples < batch) {
            throw new IllegalArgumentException(
                    examples + " examples do not make a batch of " + batch);
        }
        this.task = task;
        this.examples = examples;
        this.batch = batch;
        this.seed = seed;
    }

    @Override
    public long batches() {
        return examples / batch;
    }

    @Override
    Rows rows(NDManager manager, long epoch, long number) {
        int length = task.length();
        long[] ids = new long[batch * length];
        long[] labels = new long[batch * length];
        Permutation order = new Permutation(examples, Seeds.mix(seed, epoch));
        for (int row = 0; row < batch; row++) {
            long index = order.at(number * batch + row);
            SyntheticTask.Example example = task.example(seed, index);
            System.arraycopy(example.ids(), 0, ids, row * length, length);
            System.arraycopy(example.labels(), 0, labels, row * length, length);
        }
        Shape shape = new Shape(batch, length);
        return new Rows(
                new NDList(manager.create(ids, shape)),
                new NDList(manager.create(labels, shape)),
                batch);
    }
}
