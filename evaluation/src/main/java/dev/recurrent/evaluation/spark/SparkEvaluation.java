package dev.recurrent.evaluation.spark;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.run.KnownModels;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.LineTask;
import dev.recurrent.evaluation.task.Tally;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.zoo.ModelReference;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * Measures models by tasks on Spark: executors hold the model and score a part of the documents
 * each.
 *
 * <p>The result is the one of a single process: batches hold the same documents whatever the
 * partitions, and {@link Tally tallies} are exact sums, which do not show how they were divided.
 * What is left to differ is the model's own rounding, where processors or numbers of threads
 * differ.
 *
 * <p>A partition's tally is what its task returns. Spark takes one result a partition, however
 * often it was tried, so that executors may be lost, and no document counts twice; accumulators do
 * not promise that.
 */
public final class SparkEvaluation {

    private final JavaSparkContext context;
    private final int partitions;

    /**
     * Constructs an evaluation.
     *
     * @param context where it runs; it stays open
     * @param partitions into how many parts documents are divided
     * @throws InvalidInputException if that is less than 1
     */
    public SparkEvaluation(JavaSparkContext context, int partitions) {
        if (partitions < 1) {
            throw new InvalidInputException("At least 1 partition is wanted, not " + partitions);
        }
        this.context = context;
        this.partitions = partitions;
    }

    /**
     * Measures a model by a task. What the user gave is checked before executors load the model.
     *
     * @param request which
     * @return the sums over all documents
     * @throws InvalidInputException if model, task or a document are not what they must be, with
     *     the message that one process gives
     * @throws MalformedModelException if the model's files are malformed
     * @throws IOException if a file cannot be read by the driver
     * @throws SparkException if executors fail otherwise, again and again
     */
    public Tally evaluate(EvaluationRequest request)
            throws IOException, MalformedModelException, SparkException {
        ModelReference model = request.reference();
        if (request.lines() == null) {
            Task task = request.newTask();
            KnownModels.check(task, model);
            return sum(request, () -> parallelize(task, request));
        }
        LineTask task = request.newLineTask();
        KnownModels.check(task, model);
        LineFile file = new LineFile(context, request, task, partitions);
        return sum(request, () -> file.batches(partitions));
    }

    private JavaRDD<List<Document>> parallelize(Task task, EvaluationRequest request)
            throws IOException {
        List<byte[]> batches = new ArrayList<>();
        Iterator<Document> unread = task.documents().read();
        while (unread.hasNext()) {
            ArrayList<Document> batch = new ArrayList<>();
            while (batch.size() < request.batch() && unread.hasNext()) {
                batch.add(unread.next());
            }
            batches.add(Packed.of(batch));
        }
        return context.parallelize(batches, Math.min(partitions, batches.size()))
                .map(SparkEvaluation::documents);
    }

    private static List<Document> documents(byte[] packed) {
        List<?> batch = Packed.open(packed, List.class);
        return batch.stream().map(Document.class::cast).toList();
    }

    private static Tally sum(EvaluationRequest request, Callable<JavaRDD<List<Document>>> batches)
            throws IOException, MalformedModelException, SparkException {
        try {
            byte[] sum =
                    batches.call()
                            .mapPartitions(new PartitionScorer(request))
                            .treeReduce(SparkEvaluation::add);
            return Packed.open(sum, Tally.class);
        } catch (Exception e) {
            throwUnwrapped(e);
            throw new SparkException("Spark failed", e);
        }
    }

    private static byte[] add(byte[] one, byte[] other) {
        Tally sum = Packed.open(one, Tally.class);
        sum.add(Packed.open(other, Tally.class));
        return Packed.of(sum);
    }

    /** Throws what an executor threw, if that says all that there is to say; else the exception. */
    private static void throwUnwrapped(Exception exception)
            throws IOException, MalformedModelException, SparkException {
        for (Throwable cause = exception; cause != null; cause = cause.getCause()) {
            if (cause instanceof InvalidInputException input) {
                throw input;
            } else if (cause instanceof MalformedModelException model) {
                throw model;
            }
        }
        if (exception instanceof RuntimeException unchecked) {
            throw unchecked;
        } else if (exception instanceof IOException io) {
            throw io;
        } else if (exception instanceof SparkException spark) {
            throw spark;
        }
    }
}
