package dev.recurrent.evaluation.spark;

import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.LineTask;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import scala.Tuple2;

/** The documents of {@link NumberedLines} that a {@link BatchPartitioner} dealt, in batches. */
final class LineBatches implements Iterator<List<Document>> {

    private final EvaluationRequest request;
    private final LineTask task;
    private final Iterator<Tuple2<Long, Tuple2<Long, byte[]>>> lines;

    /**
     * Constructs the batches.
     *
     * @param lines whole batches, but for the last of the file, in order
     * @throws IOException if the task's own input cannot be read
     */
    LineBatches(EvaluationRequest request, Iterator<Tuple2<Long, Tuple2<Long, byte[]>>> lines)
            throws IOException {
        this.request = request;
        this.lines = lines;
        task = request.newLineTask();
    }

    @Override
    public boolean hasNext() {
        return lines.hasNext();
    }

    @Override
    public List<Document> next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        List<Document> batch = new ArrayList<>();
        while (batch.size() < request.batch() && lines.hasNext()) {
            Tuple2<Long, Tuple2<Long, byte[]>> line = lines.next();
            batch.add(
                    new Line(request.lines(), line._2()._1(), line._2()._2())
                            .document(line._1(), task));
        }
        return batch;
    }
}
