package dev.recurrent.training.data;

import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalLong;

/**
 * The tokens of documents, one after the other, and where documents start. Where the tokenizer has
 * a token that ends texts, every document ends with it.
 */
public final class Corpus implements AutoCloseable {

    /** 256 MiB of ids. */
    private static final int IN_MEMORY = 1 << 26;

    private final Tokens tokens;
    private final long[] starts;
    private final long from;
    private final long to;

    private Corpus(Tokens tokens, long[] starts, long from, long to) {
        this.tokens = tokens;
        this.starts = starts;
        this.from = from;
        this.to = to;
    }

    /** Both parts of a corpus, which share its tokens: the corpus is closed, not they. */
    public record Split(Corpus training, Corpus validation) {}

    /**
     * Reads texts.
     *
     * @param texts the documents
     * @param tokenizer splits them
     * @return their tokens, to be closed; in memory up to 67 million, beyond that in a temporary
     *     file
     * @throws DataException if a file cannot be read or there is no token
     * @throws IOException if the temporary file cannot be written
     */
    public static Corpus of(Texts texts, Tokenizer tokenizer) throws IOException {
        return of(texts, tokenizer, IN_MEMORY, null);
    }

    /**
     * As {@link #of(Texts, Tokenizer)}.
     *
     * @param inMemory how many tokens to keep in memory
     * @param folder where the temporary file is to be; null for the system's
     */
    public static Corpus of(Texts texts, Tokenizer tokenizer, int inMemory, Path folder)
            throws IOException {
        TokenWriter writer = new TokenWriter(inMemory, folder);
        DocumentStarts starts = new DocumentStarts();
        // The least, so that every process takes the same one.
        OptionalLong end = tokenizer.endOfText().stream().mapToLong(Long::longValue).min();
        long[] opening = tokenizer.encode("");
        texts.read(
                (text, last) -> {
                    boolean first = starts.note(writer.size());
                    long[] ids = tokenizer.encode(text);
                    writer.add(first ? ids : without(opening, ids));
                    if (last) {
                        if (end.isPresent()) {
                            writer.add(end.getAsLong());
                        }
                        starts.next();
                    }
                });
        Tokens tokens = writer.finish();
        if (tokens.size() == 0) {
            tokens.close();
            throw new DataException(texts + " holds no text");
        }
        return new Corpus(tokens, starts.toArray(), 0, tokens.size());
    }

    /** Leaves out what the tokenizer puts before every text: a piece is no text of its own. */
    private static long[] without(long[] opening, long[] ids) {
        int length = opening.length;
        return ids.length >= length && Arrays.equals(opening, 0, length, ids, 0, length)
                ? Arrays.copyOfRange(ids, length, ids.length)
                : ids;
    }

    /**
     * Divides the corpus.
     *
     * @param fraction the part of the tokens, from the start, for training
     * @return the parts; one of them may be empty
     * @throws IllegalArgumentException if the fraction is not in [0, 1]
     */
    public Split split(double fraction) {
        if (!(fraction >= 0 && fraction <= 1)) {
            throw new IllegalArgumentException("The fraction must be 0 to 1, not " + fraction);
        }
        long middle = from + (long) (fraction * size());
        return new Split(
                new Corpus(tokens, starts, from, middle), new Corpus(tokens, starts, middle, to));
    }

    /** Returns the number of tokens. */
    public long size() {
        return to - from;
    }

    /**
     * Reads tokens.
     *
     * @param start the first one
     * @param length how many
     * @return their ids
     */
    public long[] read(long start, int length) {
        if (start < 0 || length < 0 || start + length > size()) {
            throw new IndexOutOfBoundsException(
                    start + " to " + (start + length) + " is not within " + size() + " tokens");
        }
        long[] ids = new long[length];
        tokens.read(from + start, ids, 0, length);
        return ids;
    }

    /** Tells at which tokens of a window documents start. */
    boolean[] starts(long start, int length) {
        boolean[] found = new boolean[length];
        int index = Arrays.binarySearch(starts, from + start);
        index = index < 0 ? -index - 1 : index;
        for (; index < starts.length && starts[index] < from + start + length; index++) {
            found[Math.toIntExact(starts[index] - from - start)] = true;
        }
        return found;
    }

    @Override
    public void close() {
        tokens.close();
    }

    /** Collects where documents start. */
    private static final class DocumentStarts {

        private long[] starts = new long[16];
        private int count;
        private boolean open;

        /** Notes a piece; returns whether it is the first of its document. */
        boolean note(long position) {
            if (open) {
                return false;
            }
            if (count == starts.length) {
                starts = Arrays.copyOf(starts, 2 * count);
            }
            starts[count++] = position;
            open = true;
            return true;
        }

        void next() {
            open = false;
        }

        long[] toArray() {
            return Arrays.copyOf(starts, count);
        }
    }
}
