package dev.recurrent.training.data;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.training.metric.Labels;
import java.util.Arrays;

/**
 * Windows of a corpus: T tokens, and as labels the T tokens one further.
 *
 * <p>Data are [ids [B, T]], or [ids, positions [B, T]] where documents are kept apart: positions
 * count from 0 at every document start, so that models cut their state there, and the label of a
 * document's last token is {@link Labels#IGNORED}.
 *
 * <p>In training order, windows are shuffled by the seed anew in every epoch, and begin at another
 * offset below T; what does not fill a batch is left for other epochs. In reading order, windows
 * follow each other and the last ones are padded, so that every token is predicted once.
 */
public final class TokenWindows extends ResumableDataset {

    private final Corpus corpus;
    private final int length;
    private final int batch;
    private final boolean shuffled;
    private final boolean documents;
    private final long seed;

    private TokenWindows(Builder builder, boolean shuffled) {
        corpus = builder.corpus;
        length = builder.length;
        batch = builder.batch;
        documents = builder.documents;
        seed = builder.seed;
        this.shuffled = shuffled;
    }

    /** Starts building. */
    public static Builder builder() {
        return new Builder();
    }

    private long windows() {
        // A window's last label is one token after it.
        return shuffled
                ? Math.max(1, (corpus.size() - length) / length)
                : (corpus.size() - 1 + length - 1) / length;
    }

    @Override
    public long batches() {
        return shuffled ? Math.max(1, windows() / batch) : (windows() + batch - 1) / batch;
    }

    @Override
    Rows rows(NDManager manager, long epoch, long number) {
        long first = number * batch;
        int rows = (int) Math.min(batch, Math.max(windows(), shuffled ? batch : 0) - first);
        long[] ids = new long[rows * length];
        long[] labels = new long[rows * length];
        long[] positions = new long[rows * length];
        Arrays.fill(labels, Labels.IGNORED);
        Arrays.fill(positions, Positions.PADDING);
        boolean padded = false;
        for (int row = 0; row < rows; row++) {
            padded |= fill(start(epoch, first + row), row * length, ids, labels, positions);
        }
        Shape shape = new Shape(rows, length);
        NDList data = new NDList(manager.create(ids, shape));
        if (documents || padded) {
            data.add(manager.create(positions, shape));
        }
        NDArray targets = manager.create(labels, shape);
        return new Rows(data, new NDList(targets), rows);
    }

    private long start(long epoch, long window) {
        if (!shuffled) {
            return window * length;
        }
        long spare = corpus.size() - 1 - windows() * length;
        long phase = Math.floorMod(Seeds.mix(seed, ~epoch), Math.min(length, spare + 1));
        Permutation order = new Permutation(windows(), Seeds.mix(seed, epoch));
        return phase + order.at(window % windows()) * length;
    }

    /** Fills a row from {@code start} on; returns whether the corpus ended before it was full. */
    private boolean fill(long start, int offset, long[] ids, long[] labels, long[] positions) {
        int count = (int) Math.min(length, corpus.size() - 1 - start);
        long[] window = corpus.read(start, count + 1);
        boolean[] starts = documents ? corpus.starts(start, count + 1) : new boolean[count + 1];
        long position = 0;
        for (int i = 0; i < count; i++) {
            position = starts[i] ? 0 : position;
            ids[offset + i] = window[i];
            positions[offset + i] = position++;
            labels[offset + i] = starts[i + 1] ? Labels.IGNORED : window[i + 1];
        }
        return count < length;
    }

    /** Builds {@link TokenWindows}. */
    public static final class Builder {

        private Corpus corpus;
        private int length;
        private int batch;
        private boolean documents;
        private long seed;

        private Builder() {}

        /** Sets the tokens. */
        public Builder setCorpus(Corpus tokens) {
            corpus = tokens;
            return this;
        }

        /** Sets T. */
        public Builder setLength(int tokens) {
            length = tokens;
            return this;
        }

        /** Sets B. */
        public Builder setBatch(int windows) {
            batch = windows;
            return this;
        }

        /** Sets what the order depends on (default: 0). */
        public Builder optSeed(long value) {
            seed = value;
            return this;
        }

        /** Keeps documents apart. */
        public Builder optDocuments(boolean apart) {
            documents = apart;
            return this;
        }

        /**
         * Builds windows in training order.
         *
         * @throws IllegalArgumentException if a size is missing
         * @throws DataException if the corpus is shorter than a window and a token
         */
        public TokenWindows buildTraining() throws DataException {
            check();
            if (corpus.size() < length + 1L) {
                throw new DataException(
                        "There are "
                                + corpus.size()
                                + " tokens to train on, but a window takes "
                                + (length + 1)
                                + ": shorten the windows or add text");
            }
            return new TokenWindows(this, true);
        }

        /**
         * Builds windows in reading order.
         *
         * @throws IllegalArgumentException if a size is missing
         */
        public TokenWindows buildReading() {
            check();
            return new TokenWindows(this, false);
        }

        private void check() {
            if (corpus == null || length < 1 || batch < 1) {
                throw new IllegalArgumentException(
                        "Windows need a corpus, length >= 1 and batch >= 1, not length "
                                + length
                                + " and batch "
                                + batch);
            }
        }
    }
}
