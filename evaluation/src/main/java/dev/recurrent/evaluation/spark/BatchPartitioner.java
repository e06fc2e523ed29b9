package dev.recurrent.evaluation.spark;

import org.apache.spark.Partitioner;

/**
 * Deals documents, by their indices, to partitions in whole batches: those that one process would
 * form, so that the same documents go through the model together.
 */
final class BatchPartitioner extends Partitioner {

    private static final long serialVersionUID = 1L;

    private final int batch;
    private final int partitions;

    /**
     * Constructs a partitioner.
     *
     * @param batch how many documents are in a batch
     * @param partitions how many partitions there are
     */
    BatchPartitioner(int batch, int partitions) {
        this.batch = batch;
        this.partitions = partitions;
    }

    @Override
    public int numPartitions() {
        return partitions;
    }

    @Override
    public int getPartition(Object index) {
        return (int) ((Long) index / batch % partitions);
    }
}
