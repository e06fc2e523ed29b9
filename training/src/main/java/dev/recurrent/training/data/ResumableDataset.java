package dev.recurrent.training.data;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.translate.Batchifier;
import ai.djl.util.Progress;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.ExecutorService;

/**
 * A DJL Dataset whose batches are a function of epoch and number, so that training can be resumed
 * anywhere: {@link #cursor} tells where it stands, {@link #seek} goes there.
 *
 * <p>{@link #getData} goes through the rest of an epoch, as {@code EasyTrain.fit} wants; {@link
 * #next} goes on from epoch to epoch, for training that is counted in steps.
 */
public abstract class ResumableDataset implements Dataset {

    private DataCursor cursor = DataCursor.START;

    /** Returns the number of batches in an epoch. */
    public abstract long batches();

    /** Makes data and labels of a batch, in {@code manager}. */
    abstract Rows rows(NDManager manager, long epoch, long batch);

    /**
     * A batch's tensors.
     *
     * @param data [ids [B, T]] or [ids, positions [B, T]]
     * @param labels [labels [B, T]]
     * @param size B
     */
    record Rows(NDList data, NDList labels, int size) {}

    /** Returns which batch comes next. */
    public final DataCursor cursor() {
        return cursor;
    }

    /**
     * Goes to a batch.
     *
     * @param where what {@link #cursor} returned, here or in an earlier process
     */
    public final void seek(DataCursor where) {
        cursor = where;
    }

    /**
     * Returns the next batch, going on from epoch to epoch.
     *
     * @param manager parent of the batch's own manager
     * @return the batch, to be closed
     */
    public final Batch next(NDManager manager) {
        if (cursor.batch() >= batches()) {
            cursor = new DataCursor(cursor.epoch() + 1, 0);
        }
        Batch batch = batch(manager, cursor);
        cursor = new DataCursor(cursor.epoch(), cursor.batch() + 1);
        return batch;
    }

    private Batch batch(NDManager parent, DataCursor where) {
        NDManager manager = parent.newSubManager();
        try {
            Rows rows = rows(manager, where.epoch(), where.batch());
            return new Batch(
                    manager,
                    rows.data(),
                    rows.labels(),
                    rows.size(),
                    Batchifier.STACK,
                    Batchifier.STACK,
                    where.batch(),
                    batches());
        } catch (RuntimeException e) {
            manager.close();
            throw e;
        }
    }

    /** {@inheritDoc} The rest of the present epoch, or the whole of the next one at its end. */
    @Override
    public final Iterable<Batch> getData(NDManager manager) {
        if (cursor.batch() >= batches()) {
            cursor = new DataCursor(cursor.epoch() + 1, 0);
        }
        return () -> new Epoch(manager);
    }

    /** {@inheritDoc} Batches are made by the caller's thread: they are soon made. */
    @Override
    public final Iterable<Batch> getData(NDManager manager, ExecutorService executor) {
        return getData(manager);
    }

    /** {@inheritDoc} There is nothing to prepare. */
    @Override
    public final void prepare(Progress progress) {
        if (progress != null) {
            progress.reset("Preparing", 1, "Done");
            progress.end();
        }
    }

    /** The rest of an epoch. */
    private final class Epoch implements Iterator<Batch> {

        private final NDManager manager;

        private Epoch(NDManager manager) {
            this.manager = manager;
        }

        @Override
        public boolean hasNext() {
            return cursor.batch() < batches();
        }

        @Override
        public Batch next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            return ResumableDataset.this.next(manager);
        }
    }
}
