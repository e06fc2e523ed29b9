package dev.recurrent.evaluation.score;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.zoo.generation.Session;
import java.util.Arrays;

/**
 * The likelihood of one text of any length: tokens go through the model once, in chunks that carry
 * the state, and each is scored by what the model expected after all tokens before it. The first
 * token is context only. The chunk size changes speed and memory, not the result.
 */
public final class StreamingScorer implements AutoCloseable {

    private static final int LONGEST_CHUNK = 1024;

    /** Takes what tokens cost. */
    @FunctionalInterface
    public interface Sink {

        /**
         * Called for each token but the first, in order.
         *
         * @param position how many tokens stand before it
         * @param nll −log p, in nats
         */
        void accept(long position, double nll);
    }

    private final NDManager manager;
    private final Session session;
    private final Sink sink;
    private final long[] ids;
    private int size;
    private long scored;

    /**
     * Constructs a scorer with chunks that suit the model.
     *
     * @param model with its weights
     * @param manager on the model's device
     * @param sink takes the scores
     */
    public StreamingScorer(LanguageModel model, NDManager manager, Sink sink) {
        this(
                model,
                manager,
                sink,
                (int)
                        Math.max(
                                1,
                                Math.min(
                                        LONGEST_CHUNK,
                                        TargetScorer.LOGITS / model.config().vocabulary())));
    }

    /**
     * Constructs a scorer.
     *
     * @param model with its weights
     * @param manager on the model's device
     * @param sink takes the scores
     * @param chunk how many tokens go through the model at once
     */
    public StreamingScorer(LanguageModel model, NDManager manager, Sink sink, int chunk) {
        if (chunk < 1) {
            throw new IllegalArgumentException("chunk must be >= 1, not " + chunk);
        }
        this.manager = manager;
        this.sink = sink;
        session = new Session(model, manager);
        ids = new long[chunk + 1];
    }

    /**
     * Takes the next token.
     *
     * @param id its id
     * @return whether this filled a chunk, so that tokens were scored
     * @throws IllegalArgumentException if it is not in the vocabulary
     * @throws ArithmeticException if a token's likelihood is not finite
     */
    public boolean add(long id) {
        ids[size++] = id;
        boolean full = size == ids.length;
        if (full) {
            flush();
        }
        return full;
    }

    /**
     * Scores what has been taken and not been scored yet.
     *
     * @throws ArithmeticException if a token's likelihood is not finite
     */
    public void finish() {
        if (size > 1) {
            flush();
        }
    }

    /** Returns how many tokens have been scored. */
    public long scored() {
        return scored;
    }

    /** Returns the bytes of the state that is carried now. */
    public long stateBytes() {
        return session.stateBytes();
    }

    /** Runs all tokens but the last, which is only a target and starts the next chunk. */
    private void flush() {
        int inputs = size - 1;
        try (NDManager scope = manager.newSubManager()) {
            NDArray logits = session.feedAll(new long[][] {Arrays.copyOf(ids, inputs)});
            logits.attach(scope); // [1, T, vocabulary]
            long[] next = Arrays.copyOfRange(ids, 1, size);
            NDArray targets = scope.create(next, new Shape(1, inputs, 1));
            for (float score : logits.logSoftmax(-1).gather(targets, 2).toFloatArray()) {
                add(score);
            }
        }
        ids[0] = ids[inputs];
        size = 1;
    }

    private void add(float score) {
        if (!Float.isFinite(score)) {
            throw new ArithmeticException(
                    "The model gives token " + (scored + 1) + " the log-likelihood " + score);
        }
        scored++;
        sink.accept(scored, -(double) score);
    }

    /** Frees the state. */
    @Override
    public void close() {
        session.close();
    }
}
