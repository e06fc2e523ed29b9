package dev.recurrent.evaluation.task;

import java.io.IOException;
import java.util.Iterator;
import java.util.stream.LongStream;

/** A task's documents, in the order of their indices. */
public interface Documents {

    /** Returns how many there are. */
    long size();

    /**
     * Reads them one after another.
     *
     * @return an iterator; faults in files that were read before show as UncheckedIOException
     * @throws IOException if they cannot be opened
     */
    Iterator<Document> read() throws IOException;

    /** Documents that are drawn by their numbers from 0 on. */
    static Documents drawn(long size) {
        return new Documents() {
            @Override
            public long size() {
                return size;
            }

            @Override
            public Iterator<Document> read() {
                return LongStream.range(0, size).mapToObj(i -> new Document(i, null)).iterator();
            }
        };
    }
}
