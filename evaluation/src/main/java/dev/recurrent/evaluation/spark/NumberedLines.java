package dev.recurrent.evaluation.spark;

import java.util.Iterator;
import java.util.NoSuchElementException;
import scala.Tuple2;

/**
 * The lines of a partition that are not empty, each after its document's index and the number of
 * lines that stand before it in the file. Pairs of boxed numbers and bytes, which all of Spark's
 * serialisers know.
 */
final class NumberedLines implements Iterator<Tuple2<Long, Tuple2<Long, byte[]>>> {

    private final EvaluationRequest request;
    private final Iterator<byte[]> lines;
    private long before;
    private long index;
    private Line next;

    /**
     * Constructs the lines.
     *
     * @param lines of the partition
     * @param before how many lines of the file stand before it
     * @param index of its first document
     */
    NumberedLines(EvaluationRequest request, Iterator<byte[]> lines, long before, long index) {
        this.request = request;
        this.lines = lines;
        this.before = before;
        this.index = index;
    }

    @Override
    public boolean hasNext() {
        boolean wanted = request.limited(index + 1) > index;
        while (wanted && next == null && lines.hasNext()) {
            Line line = new Line(request.lines(), before++, lines.next());
            next = line.isBlank() ? null : line;
        }
        return next != null;
    }

    @Override
    public Tuple2<Long, Tuple2<Long, byte[]>> next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        Line line = next;
        next = null;
        return new Tuple2<>(index++, new Tuple2<>(line.before(), line.utf8()));
    }
}
