package dev.recurrent.evaluation.spark;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.LineTask;
import java.io.IOException;
import java.util.List;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.UnsupportedFileSystemException;
import org.apache.hadoop.io.LongWritable;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.mapred.TextInputFormat;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import scala.Tuple2;

/**
 * A JSONL file that executors read, each a part of it. It is read twice: once to count lines and to
 * find malformed ones, so that documents have the indices and faults the messages that they have
 * when one process reads the file; and once to score it.
 */
final class LineFile {

    private final EvaluationRequest request;
    private final LineTask task;
    private final JavaRDD<byte[]> lines;

    /**
     * Finds the file.
     *
     * @param request names it
     * @param task knows what its lines must be
     * @param partitions how many parts it is read in, if it can be divided
     * @throws InvalidInputException if there is no such file
     * @throws IOException if its file system cannot be reached
     */
    LineFile(JavaSparkContext context, EvaluationRequest request, LineTask task, int partitions)
            throws IOException {
        this.request = request;
        this.task = task;
        requireFile(context, request.lines());
        lines =
                context.hadoopFile(
                                request.lines(),
                                TextInputFormat.class,
                                LongWritable.class,
                                Text.class,
                                partitions)
                        .map(line -> line._2().copyBytes());
    }

    private static void requireFile(JavaSparkContext context, String uri) throws IOException {
        try {
            Path path = new Path(uri);
            FileSystem files = path.getFileSystem(context.hadoopConfiguration());
            if (!files.exists(path) || !files.getFileStatus(path).isFile()) {
                throw new InvalidInputException("There is no file " + uri);
            }
        } catch (UnsupportedFileSystemException | IllegalArgumentException e) {
            throw new InvalidInputException(uri + ": " + e.getMessage(), e);
        }
    }

    /**
     * Looks through the file, and divides its documents.
     *
     * @param partitions into how many, at most
     * @return them in batches, as one process would form them
     * @throws InvalidInputException if a line is malformed, or there are none
     */
    JavaRDD<List<Document>> batches(int partitions) {
        List<LineSurvey.Part> parts =
                lines.mapPartitions(new LineSurvey(request)).collect().stream()
                        .map(part -> Packed.open(part, LineSurvey.Part.class))
                        .toList();
        long[] firstLines = new long[parts.size()];
        long[] firstDocuments = new long[parts.size()];
        long size = 0;
        long before = 0;
        for (int i = 0; i < firstLines.length; i++) {
            firstLines[i] = before;
            firstDocuments[i] = size;
            requireGood(parts.get(i).fault(), before, size);
            before += parts.get(i).lines();
            size += parts.get(i).documents();
        }
        if (size == 0) {
            throw new InvalidInputException(request.lines() + " has no JSON objects in it");
        }
        long batches = (request.limited(size) + request.batch() - 1) / request.batch();
        return deal(firstLines, firstDocuments, (int) Math.min(partitions, batches));
    }

    /** Throws what one process would throw when it comes to a malformed line. */
    private void requireGood(LineSurvey.Fault fault, long lines, long documents) {
        if (fault != null) {
            long index = documents + fault.documents();
            if (index < request.limited(index + 1)) {
                new Line(request.lines(), lines + fault.lines(), fault.utf8())
                        .document(index, task);
            }
        }
    }

    private JavaRDD<List<Document>> deal(long[] firstLines, long[] firstDocuments, int partitions) {
        EvaluationRequest made = request;
        JavaRDD<Tuple2<Long, Tuple2<Long, byte[]>>> numbered =
                lines.mapPartitionsWithIndex(
                        (i, part) ->
                                new NumberedLines(made, part, firstLines[i], firstDocuments[i]),
                        false);
        return JavaPairRDD.fromJavaRDD(numbered)
                .repartitionAndSortWithinPartitions(new BatchPartitioner(made.batch(), partitions))
                .mapPartitions(dealt -> new LineBatches(made, dealt));
    }
}
