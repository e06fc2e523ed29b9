package dev.recurrent.evaluation.spark;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.LineTask;
import java.io.IOException;
import java.io.Serializable;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.FlatMapFunction;

/** Looks through the lines of a partition before they are scored; returns a packed {@link Part}. */
final class LineSurvey implements FlatMapFunction<Iterator<byte[]>, byte[]> {

    private static final long serialVersionUID = 1L;

    private final EvaluationRequest request;

    LineSurvey(EvaluationRequest request) {
        this.request = request;
    }

    /**
     * What is in a partition.
     *
     * @param lines how many lines, empty ones too
     * @param documents how many of them are not empty
     * @param fault the first malformed one; null where there is none
     */
    record Part(long lines, long documents, Fault fault) implements Serializable {}

    /**
     * A malformed line.
     *
     * @param lines how many stand before it in the partition
     * @param documents how many of these are not empty
     * @param utf8 the line
     */
    record Fault(long lines, long documents, byte[] utf8) implements Serializable {}

    @Override
    public Iterator<byte[]> call(Iterator<byte[]> all) throws IOException {
        LineTask task = request.newLineTask();
        long lines = 0;
        long documents = 0;
        Fault fault = null;
        while (all.hasNext()) {
            Line line = new Line(request.lines(), lines, all.next());
            if (!line.isBlank()) {
                if (fault == null && !isGood(line, task)) {
                    fault = new Fault(lines, documents, line.utf8());
                }
                documents++;
            }
            lines++;
        }
        return List.of(Packed.of(new Part(lines, documents, fault))).iterator();
    }

    private static boolean isGood(Line line, LineTask task) {
        try {
            line.document(0, task);
            return true;
        } catch (InvalidInputException e) {
            return false;
        }
    }
}
