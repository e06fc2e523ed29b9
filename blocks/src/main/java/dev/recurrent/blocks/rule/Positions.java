package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Where every token of a batch stands in its document: one int64 tensor [B, T].
 *
 * <p>0 starts a document: state, convolution and attention are cut there. −1 is padding: it changes
 * no state and no other token's output. Every other value is one more than that of the token before
 * it in the row, padding not counted; the first token of a row may have any value, which continues
 * a document from a state.
 *
 * <p>What layers derive from positions (masks, rotations) is computed once and kept here, so an
 * instance serves one pass through a model. It lives in the manager it was made with.
 */
public final class Positions {

    /** The position of padding. */
    public static final long PADDING = -1;

    private final NDManager manager;
    private final long batch;
    private final long length;
    private final long start;
    private final long[] values;
    private final PositionLayout layout;
    private final Map<Object, NDArray> derived = new HashMap<>();

    private Positions(
            NDManager manager,
            long batch,
            long length,
            long start,
            long[] values,
            PositionLayout layout) {
        this.manager = manager;
        this.batch = batch;
        this.length = length;
        this.start = start;
        this.values = values;
        this.layout = layout;
    }

    /**
     * Rows without padding that all stand at the same place of one document.
     *
     * @param manager where derived tensors will live
     * @param batch B
     * @param length T
     * @param start the position of the first token; 0 starts a document
     * @return the positions start, start + 1, …
     */
    public static Positions range(NDManager manager, long batch, long length, long start) {
        if (start < 0 || length < 1 || batch < 1) {
            throw new IllegalArgumentException(
                    "Positions need batch >= 1, length >= 1 and start >= 0, not batch "
                            + batch
                            + ", length "
                            + length
                            + ", start "
                            + start);
        }
        return new Positions(
                manager, batch, length, start, null, PositionLayout.ofRange(batch, length, start));
    }

    /**
     * Positions given as a tensor, which is read back to the host once.
     *
     * @param positions [B, T], int64
     * @return the positions
     * @throws IllegalArgumentException if the tensor is not int64 [B, T], or a value neither starts
     *     a document, nor is padding, nor follows the one before it
     */
    public static Positions of(NDArray positions) {
        if (positions.getDataType() != DataType.INT64 || positions.getShape().dimension() != 2) {
            throw new IllegalArgumentException(
                    "Positions must be int64 [B, T], not "
                            + positions.getDataType()
                            + positions.getShape());
        }
        return of(
                positions.getManager(),
                positions.getShape().get(0),
                positions.getShape().get(1),
                positions.toLongArray());
    }

    /**
     * Positions given as values.
     *
     * @param manager where derived tensors will live
     * @param batch B
     * @param length T
     * @param values B·T values, row by row
     * @return the positions
     * @throws IllegalArgumentException as {@link #of(NDArray)}
     */
    public static Positions of(NDManager manager, long batch, long length, long[] values) {
        if (values.length != batch * length) {
            throw new IllegalArgumentException(
                    values.length + " positions do not fill [" + batch + ", " + length + "]");
        }
        return new Positions(
                manager,
                batch,
                length,
                -1,
                values.clone(),
                PositionLayout.of(values, batch, length));
    }

    /**
     * One token a row, each of which continues a document at a position that is known on the device
     * alone, so that what is launched for them can be replayed for others.
     *
     * @param positions int64 [B, 1], none of them 0 or padding, in whose manager derived tensors
     *     will live; what is computed reads it when it runs
     * @param last the greatest position it will ever hold: caches get room for it
     * @return the positions
     * @throws IllegalArgumentException if the tensor is not int64 [B, 1]
     */
    public static Positions continued(NDArray positions, long last) {
        Shape shape = positions.getShape();
        if (positions.getDataType() != DataType.INT64
                || shape.dimension() != 2
                || shape.get(1) != 1) {
            throw new IllegalArgumentException(
                    "Positions of a step must be int64 [B, 1], not "
                            + positions.getDataType()
                            + shape);
        }
        PositionLayout layout = PositionLayout.ofContinued(shape.get(0), last);
        Positions continued =
                new Positions(positions.getManager(), shape.get(0), 1, -1, null, layout);
        continued.derived.put("positions", positions);
        return continued;
    }

    /** Returns B. */
    public long batch() {
        return batch;
    }

    /** Returns T. */
    public long length() {
        return length;
    }

    /** Returns the greatest position, or for {@link #continued} an upper bound. */
    public long last() {
        return layout.last();
    }

    /** Returns whether some token is, or might be, padding. */
    public boolean isPadded() {
        return layout.padded();
    }

    /** Returns whether padding, if any, stands only at the ends of rows. */
    public boolean isCompact() {
        return layout.compact();
    }

    /** Returns whether every row begins with a document, so that no state is looked at. */
    public boolean startsFresh() {
        return layout.startsFresh();
    }

    /**
     * Returns whether a document starts, or might start, where a state could still be seen: inside
     * a row, or at the first token of some rows but not of all.
     */
    public boolean hasResets() {
        return layout.hasResets();
    }

    /** Returns whether there is neither padding nor a reset, so that no mask is needed. */
    public boolean isPlain() {
        return !layout.padded() && !hasResets();
    }

    /**
     * Returns whether each real token may see all tokens before it in its row, which need no mask
     * but the causal one.
     *
     * @param continuing whether there is a state that tokens may see as well
     */
    boolean isCausal(boolean continuing) {
        return !continuing && layout.compact() && !layout.resetsInside();
    }

    /**
     * Returns where the documents of all rows begin among B·T tokens: at every row's first token,
     * and wherever a position is 0.
     */
    int[] documentStarts() {
        return values == null
                ? IntStream.range(0, Math.toIntExact(batch))
                        .map(row -> Math.toIntExact(row * length))
                        .toArray()
                : layout.documentStarts(values);
    }

    /** Returns the position of a row's first token. */
    long first(int row) {
        return values == null ? start : values[Math.toIntExact(row * length)];
    }

    /** Returns the manager that derived tensors live in. */
    public NDManager manager() {
        return manager;
    }

    /** Returns the positions, int64 [B, T]. */
    public NDArray array() {
        return derive("positions", this::createArray);
    }

    /** Returns how many tokens of each row are not padding, int64 [B]. */
    public NDArray realLengths() {
        return derive("realLengths", () -> manager.create(layout.realLengths()));
    }

    /** Returns 1 where there is a token and 0 where there is padding, float32 [B, T]. */
    public NDArray real() {
        return derive("real", () -> isReal().toType(DataType.FLOAT32, false));
    }

    // Constants on the host come with the launch, where others would be copied to the device.

    private NDArray isReal() {
        return array().gte(Scalars.of(0));
    }

    private NDArray starts() {
        return array().eq(Scalars.of(0));
    }

    /** Returns 0 where a document starts and 1 elsewhere, float32 [B, T]. */
    public NDArray continues() {
        return derive(
                "continues", () -> array().neq(Scalars.of(0)).toType(DataType.FLOAT32, false));
    }

    /**
     * Returns the number of documents that started in the row up to and including each token, int64
     * [B, T]; tokens with 0 continue the state.
     */
    public NDArray documents() {
        return derive("documents", () -> starts().toType(DataType.INT64, false).cumSum(1));
    }

    /**
     * Returns a tensor that depends on the positions alone, made at the first call with its key.
     *
     * @param key what the tensor is, equal for equal tensors: a record or a list of constants
     * @param supplier makes the tensor
     * @return the tensor; it belongs to this instance and must not be changed or closed
     */
    public NDArray derive(Object key, Supplier<NDArray> supplier) {
        NDArray known = derived.get(key);
        if (known != null) {
            return known;
        }
        NDArray made;
        try (TensorScope scope = new TensorScope()) {
            made = scope.keep(supplier.get());
        }
        made.attach(manager);
        derived.put(key, made);
        return made;
    }

    /**
     * Returns the same tokens with each row's padding brought to its end.
     *
     * @return this if {@link #isCompact()}
     */
    public Positions compacted() {
        if (layout.compact()) {
            return this;
        }
        return of(manager, batch, length, layout.compacted(values));
    }

    /**
     * Moves the columns of a tensor as {@link #compacted()} moves the tokens.
     *
     * @param array [B, T, …]
     * @return the moved tensor
     */
    public NDArray compact(NDArray array) {
        return gather(array, derive("order", () -> indices(layout.order(values))));
    }

    /**
     * Undoes {@link #compact}.
     *
     * @param array [B, T, …] in the order of {@link #compacted()}
     * @return the tensor in the order of this instance
     */
    public NDArray expand(NDArray array) {
        return gather(array, derive("inverse", () -> indices(layout.inverse(values))));
    }

    private NDArray gather(NDArray array, NDArray index) {
        Shape shape = array.getShape();
        long[] broadcast = new long[shape.dimension()];
        Arrays.fill(broadcast, 1);
        broadcast[0] = batch;
        broadcast[1] = length;
        return array.gather(index.reshape(broadcast).broadcast(shape), 1); // [B, T, …]
    }

    private NDArray indices(long[] columns) {
        return manager.create(columns, new Shape(batch, length));
    }

    private NDArray createArray() {
        if (values != null) {
            return manager.create(values, new Shape(batch, length));
        }
        NDArray row = manager.arange((int) start, (int) (start + length), 1, DataType.INT64); // [T]
        return row.reshape(1, length).broadcast(batch, length);
    }
}
