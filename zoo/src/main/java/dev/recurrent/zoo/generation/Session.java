package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.ModelState;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * A conversation with a model: some rows of text, each a document of its own, and the state that
 * carries them from call to call. Memory does not grow with the number of calls.
 *
 * <p>Products have the {@link MatrixPrecision} that held on the thread that opened the session. On
 * CUDA devices with kernels, tokens that come one at a time replay a graph.
 *
 * <p>What products in bfloat16 give is returned in float32. Tensors that a session returns live
 * until its next call or its end, whichever comes first; duplicate what must live longer. Gradients
 * are not recorded, on whichever thread calls. A session serves one thread at a time; sessions do
 * not disturb each other. A session in which a call failed is closed.
 */
public final class Session implements AutoCloseable {

    private final PreparedModel prepared;
    private final LanguageModel model;
    private final ParameterStore store;
    private final NDManager manager;
    private final TokenSteps steps;
    private NDManager step;
    private ModelState state;
    private long[] positions;

    /**
     * Opens a session at the beginning of all its texts.
     *
     * @param model the model
     * @param store its parameters' store
     * @param parent where the session's manager hangs, and the device it runs on
     * @param rows B, how many texts
     */
    public Session(LanguageModel model, ParameterStore store, NDManager parent, int rows) {
        this(new PreparedModel(model, MatrixPrecision.current(), parent), store, parent, rows);
    }

    /**
     * Opens a session at the beginning of all its texts.
     *
     * @param prepared the model, as one of its users
     * @param store its parameters' store
     * @param parent where the session's manager hangs, and the device it runs on
     * @param rows B, how many texts
     */
    Session(PreparedModel prepared, ParameterStore store, NDManager parent, int rows) {
        this(prepared, store, parent.newSubManager(), null, new long[rows]);
        if (rows < 1) {
            close();
            throw new IllegalArgumentException("A session needs a row");
        }
    }

    /**
     * Opens a session of one row.
     *
     * @param model the model
     * @param parent where the session's manager hangs, and the device it runs on
     */
    public Session(LanguageModel model, NDManager parent) {
        this(model, new ParameterStore(parent, false), parent, 1);
    }

    private Session(
            PreparedModel prepared,
            ParameterStore store,
            NDManager manager,
            ModelState state,
            long[] positions) {
        this.prepared = prepared;
        model = prepared.model();
        this.store = store;
        this.manager = manager;
        steps = new TokenSteps(prepared, store, manager);
        this.state = state;
        this.positions = positions;
        manager.setName("session");
        // Whoever closes the manager, or one above it, ends the session.
        manager.attachInternal("use of the model", this::release);
    }

    /**
     * Continues every row by at least one token, and returns what may come next. Rows may differ in
     * length.
     *
     * @param tokens B rows of ids
     * @param chunk how many tokens of a row go through the model at a time
     * @return logits after each row's last token, [B, vocabulary]
     * @throws IllegalArgumentException if a row is empty or an id is not in the vocabulary
     */
    public NDArray feed(long[][] tokens, int chunk) {
        Supplier<NDArray> pass = after(tokens, chunk);
        return run(() -> readable(pass.get()));
    }

    /** Does what {@link #feed(long[][], int)} does; the logits are in the type of the products. */
    NDArray begin(long[][] tokens, int chunk) {
        return run(after(tokens, chunk));
    }

    private Supplier<NDArray> after(long[][] tokens, int chunk) {
        RaggedTokens ragged = ragged(tokens).requireTokens();
        requirePositive(chunk);
        if (ragged.isSingle() && Kernels.on(manager.getDevice()).isPresent() && continues()) {
            return () -> {
                ragged.requireVocabulary(model.config().vocabulary());
                return single(ragged.ids(step, 0, 1)).squeeze(1); // [B, vocabulary]
            };
        }
        return () -> model.logits(store, last(ragged, chunk), false); // [B, vocabulary]
    }

    /** DJL cannot read bfloat16; on a GPU the attempt would end the JVM. */
    private static NDArray readable(NDArray values) {
        ScalarType type = Torch.typeOf(values);
        return type == ScalarType.BFLOAT16 ? Torch.cast(values, ScalarType.FLOAT32) : values;
    }

    /**
     * Continues every row by a token that the host need not know, and that others will follow.
     *
     * @param ids int64 [B, 1], in the vocabulary: they are not checked
     * @return logits [B, 1, vocabulary], in the type of the products
     * @throws IllegalStateException if a row has no token yet
     */
    NDArray feed(NDArray ids) {
        if (!continues()) {
            throw new IllegalStateException("A row has no token yet");
        }
        steps.expectMore();
        return run(() -> single(ids));
    }

    /** Whether every row has a token already. */
    private boolean continues() {
        return state != null && Arrays.stream(positions).allMatch(position -> position > 0);
    }

    private NDArray single(NDArray ids) {
        LanguageModel.Output output = steps.next(ids, positions, state, step);
        state = output.state();
        Arrays.setAll(positions, row -> positions[row] + 1);
        return output.values(); // [B, 1, vocabulary]
    }

    /**
     * Continues every row as {@link #feed(long[][], int)} does, and returns the head's input.
     *
     * @return hidden values of each row's last token, [B, D]
     */
    public NDArray lastHidden(long[][] tokens, int chunk) {
        RaggedTokens ragged = ragged(tokens).requireTokens();
        requirePositive(chunk);
        return run(() -> readable(last(ragged, chunk)));
    }

    private NDArray last(RaggedTokens tokens, int chunk) {
        NDList last = new NDList(new NDArray[rows()]);
        int longest = tokens.longest();
        for (int from = 0; from < longest; from += chunk) {
            int to = Math.min(from + chunk, longest);
            NDArray hidden = hidden(tokens, from, to); // [B, C, D]
            for (int row = 0; row < rows(); row++) {
                int end = tokens.rows()[row].length - 1;
                if (from <= end && end < to) {
                    last.set(row, at(hidden, row, end - from)); // [D]
                }
            }
            hidden.close();
        }
        return NDArrays.stack(last); // [B, D]
    }

    /**
     * Continues rows by any numbers of tokens, also none, and returns the head's input.
     *
     * @param tokens B rows of ids, the longest of T > 0
     * @return hidden values [B, T, D]; those after a row's last token mean nothing
     * @throws IllegalArgumentException if there is no token or an id is not in the vocabulary
     */
    public NDArray hidden(long[][] tokens) {
        RaggedTokens ragged = ragged(tokens);
        int longest = ragged.longest();
        if (longest == 0) {
            throw new IllegalArgumentException("No row has a token");
        }
        return run(() -> readable(hidden(ragged, 0, longest)));
    }

    /**
     * Applies the model's head.
     *
     * @param hidden [..., D], of this session
     * @return logits [..., vocabulary], in the manager of the hidden values
     */
    public NDArray logits(NDArray hidden) {
        return unrecorded(() -> readable(model.logits(store, hidden, false)));
    }

    /**
     * Continues a session of one row.
     *
     * @param tokens at least one id
     * @return logits after the last token, [1, vocabulary]
     * @throws IllegalArgumentException if there is no token or an id is not in the vocabulary
     */
    public NDArray feed(long... tokens) {
        return feed(new long[][] {tokens}, Math.max(1, tokens.length));
    }

    /**
     * Continues every row by the same number of tokens, and returns what may come after each.
     *
     * @param tokens B rows of T ids
     * @return logits [B, T, vocabulary]
     * @throws IllegalArgumentException if rows are empty or differ in length, or an id is not in
     *     the vocabulary
     */
    public NDArray feedAll(long[][] tokens) {
        RaggedTokens ragged = ragged(tokens).requireTokens();
        int length = ragged.longest();
        if (Arrays.stream(tokens).anyMatch(row -> row.length != length)) {
            throw new IllegalArgumentException("Rows differ in length");
        }
        return run(() -> readable(model.logits(store, hidden(ragged, 0, length), false)));
    }

    /**
     * Keeps some rows only.
     *
     * @param rows indices of rows to keep, in their new order; a row may be kept several times
     */
    public void keep(int... rows) {
        requireOpen();
        long[] kept = new long[rows.length];
        for (int i = 0; i < rows.length; i++) {
            kept[i] = positions[rows[i]];
        }
        steps.interrupt();
        if (state != null) {
            ModelState selected = select(rows, manager);
            state.close();
            state = selected;
        }
        positions = kept;
    }

    /**
     * Returns a session that stands where this one stands and goes its own way from there.
     *
     * @return a session to be closed by itself
     */
    public Session fork() {
        return fork(IntStream.range(0, rows()).toArray());
    }

    /**
     * Returns a session of some of this one's rows that goes its own way from there.
     *
     * @param rows indices of rows, in their new order; a row may be taken several times
     * @return a session to be closed by itself
     */
    public Session fork(int... rows) {
        requireOpen();
        NDManager sibling = manager.getParentManager().newSubManager();
        ModelState copy = state == null ? null : select(rows, sibling);
        return new Session(
                prepared.share(),
                store,
                sibling,
                copy,
                Arrays.stream(rows).mapToLong(row -> positions[row]).toArray());
    }

    private ModelState select(int[] rows, NDManager owner) {
        try (NDManager scratch = manager.newSubManager()) {
            NDArray index = scratch.create(Arrays.stream(rows).asLongStream().toArray());
            return derive(seen -> seen.select(index), owner);
        }
    }

    /** Returns B. */
    public int rows() {
        return positions.length;
    }

    /** Returns how many tokens of each row have been seen. */
    public long[] positions() {
        return positions.clone();
    }

    /** Returns the size of the state in bytes. */
    public long stateBytes() {
        return state == null ? 0 : state.bytes();
    }

    /** Frees the state. Closing twice is harmless. */
    @Override
    public void close() {
        state = null;
        manager.close();
    }

    private void release() {
        steps.close();
        prepared.release();
    }

    /** Runs a pass in a manager of its own, which replaces that of the pass before. */
    private NDArray run(Supplier<NDArray> pass) {
        requireOpen();
        if (step != null) {
            step.close();
        }
        step = manager.newSubManager();
        NDArray result = null;
        try (TensorScope scope = new TensorScope()) {
            result = scope.keep(unrecorded(pass));
            return result;
        } finally {
            if (result == null && manager.isOpen()) {
                steps.interrupt();
                close();
            }
        }
    }

    private <T> T unrecorded(Supplier<T> work) {
        return prepared.during(work);
    }

    /** Makes a state of this one's, owned by {@code owner} whatever scope the caller is in. */
    private ModelState derive(UnaryOperator<ModelState> function, NDManager owner) {
        try (TensorScope scope = new TensorScope()) {
            ModelState made = GradientMode.off(() -> function.apply(state));
            made.layers().forEach(layer -> scope.keep(layer.arrays()));
            made.attach(owner);
            return made;
        }
    }

    /** Moves all rows on by their tokens in [from, to). */
    private NDArray hidden(RaggedTokens tokens, int from, int to) {
        steps.interrupt();
        try (NDManager pass = step.newSubManager()) {
            int length = to - from;
            NDArray ids = tokens.ids(pass, from, length);
            Positions places = tokens.positions(pass, positions, from, length);
            LanguageModel.Output output = model.hidden(store, ids, places, state, false);
            state = output.state();
            state.attach(manager);
            for (int row = 0; row < rows(); row++) {
                positions[row] += tokens.real(row, from, length);
            }
            output.values().attach(step);
            return output.values(); // [B, C, D]
        }
    }

    private static NDArray at(NDArray hidden, int row, int column) {
        return hidden.get(new NDIndex().addIndices(row, column));
    }

    private RaggedTokens ragged(long[][] tokens) {
        if (tokens.length != rows()) {
            throw new IllegalArgumentException(
                    tokens.length + " rows of tokens do not fit a session of " + rows());
        }
        return new RaggedTokens(tokens);
    }

    private static void requirePositive(int chunk) {
        if (chunk < 1) {
            throw new IllegalArgumentException("chunk must be >= 1, not " + chunk);
        }
    }

    private void requireOpen() {
        if (!manager.isOpen()) {
            throw new IllegalStateException("The session is closed");
        }
    }
}
