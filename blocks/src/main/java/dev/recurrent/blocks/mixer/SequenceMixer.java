package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * What carries information along time: (x [B, T, D], positions [B, T], state or none) → (y [B, T,
 * D], new state).
 *
 * <p>T = 1 with a state is decoding, T &gt; 1 with a state is chunked prefill; both continue
 * exactly. Nothing is kept inside the block. As a DJL Block it takes {@code [x]}, {@code [x,
 * positions]} or {@code [x, positions, state tensors…]} and returns {@code [y, new state
 * tensors…]}.
 */
public abstract class SequenceMixer extends SizedBlock {

    private final long width;

    /**
     * Constructs a mixer.
     *
     * @param width D
     */
    protected SequenceMixer(long width) {
        this.width = width;
    }

    /**
     * What a mixer returns.
     *
     * @param y [B, T, D]
     * @param state what the next call needs
     */
    public record Output(NDArray y, MixerState state) {}

    /**
     * Mixes tokens along time. Outputs at padding are zero.
     *
     * @param store the parameters' store
     * @param x [B, T, D]
     * @param positions [B, T]
     * @param state of the tokens before, consumed by the call (see {@link MixerState}); null for
     *     none
     * @param training whether gradients are wanted
     * @return y and the new state, in x's manager
     * @throws IllegalArgumentException if shapes or devices do not fit, or the state is another
     *     mixer's
     */
    public final Output forward(
            ParameterStore store,
            NDArray x,
            Positions positions,
            MixerState state,
            boolean training) {
        check(x, positions, state);
        try (TensorScope scope = new TensorScope()) {
            MixerState seen = positions.startsFresh() ? null : state;
            // Several operations of a mixer read it.
            NDArray ordered = Tape.join(positions.isCompact() ? x : positions.compact(x));
            Output output = mix(store, ordered, positions.compacted(), seen, training);
            NDArray y = output.y();
            if (!positions.isCompact()) {
                y = positions.expand(y);
            }
            if (positions.isPadded()) {
                y = y.mul(positions.real().expandDims(2)); // [B, T, D]
            }
            scope.keep(output.state().arrays());
            output.state().attach(x.getManager());
            closeConsumed(state, output.state());
            return new Output(scope.keep(y), output.state());
        }
    }

    /**
     * The mixer's own computation. Intermediates need not be closed.
     *
     * @param store the parameters' store
     * @param x [B, T, D]
     * @param positions [B, T], compact: padding only at the ends of rows
     * @param state of the tokens before; null for none
     * @param training whether gradients are wanted
     * @return y, unspecified at padding, and the new state
     */
    protected abstract Output mix(
            ParameterStore store,
            NDArray x,
            Positions positions,
            MixerState state,
            boolean training);

    /**
     * Returns the shapes of a state's tensors, in the order of {@link MixerState#arrays()}.
     *
     * @param batch B
     * @return the shapes; −1 for a dimension that varies
     */
    protected abstract Shape[] stateShapes(long batch);

    /**
     * Returns a state of this mixer's kind.
     *
     * @param arrays tensors in the order of {@link MixerState#arrays()}
     * @return the state
     */
    protected abstract MixerState stateOf(NDList arrays);

    /**
     * Returns the size of one row's state, in bytes, after a number of tokens.
     *
     * @param tokens how many tokens have been seen
     * @return bytes
     */
    public abstract long stateBytes(long tokens);

    /**
     * Sets the share of attention weights that is dropped in passes with {@code training} over more
     * than one token; nothing at first. Mixers without attention weights have none to drop.
     *
     * @param rate in [0, 1)
     */
    public void setAttentionDropout(double rate) {
        // Only attention has weights.
    }

    /**
     * Returns how far a state reaches without growing.
     *
     * @param state one of this mixer's
     * @return the number of positions that it has room for; {@link Long#MAX_VALUE} for all
     */
    public long capacity(MixerState state) {
        return Long.MAX_VALUE;
    }

    /** Returns D. */
    public final long width() {
        return width;
    }

    private void check(NDArray x, Positions positions, MixerState state) {
        Shape wanted = new Shape(positions.batch(), positions.length(), width);
        if (!x.getShape().equals(wanted)) {
            throw new IllegalArgumentException(
                    name() + " expects x " + wanted + ", not " + x.getShape());
        }
        if (state != null) {
            checkState(x, state);
        }
    }

    private void checkState(NDArray x, MixerState state) {
        Shape[] wanted = stateShapes(x.getShape().get(0));
        NDList arrays = state.arrays();
        boolean fits = arrays.size() == wanted.length;
        for (int i = 0; fits && i < wanted.length; i++) {
            fits = matches(wanted[i], arrays.get(i).getShape());
        }
        if (!fits) {
            throw new IllegalArgumentException(
                    name()
                            + " expects a state of shapes "
                            + Arrays.toString(wanted)
                            + ", not "
                            + Arrays.toString(arrays.getShapes()));
        }
        if (!arrays.get(0).getDevice().equals(x.getDevice())) {
            throw new IllegalArgumentException(
                    name()
                            + " is called with x on "
                            + x.getDevice()
                            + " and a state on "
                            + arrays.get(0).getDevice());
        }
    }

    private static boolean matches(Shape wanted, Shape given) {
        if (wanted.dimension() != given.dimension()) {
            return false;
        }
        for (int i = 0; i < wanted.dimension(); i++) {
            if (wanted.get(i) != -1 && wanted.get(i) != given.get(i)) {
                return false;
            }
        }
        return true;
    }

    private static void closeConsumed(MixerState old, MixerState next) {
        if (old == null) {
            return;
        }
        // By identity: NDArray.equals compares contents.
        Set<NDArray> kept = Collections.newSetFromMap(new IdentityHashMap<>());
        kept.addAll(next.arrays());
        old.arrays().stream().filter(array -> !kept.contains(array)).forEach(NDArray::close);
    }

    private String name() {
        return getClass().getSimpleName();
    }

    @Override
    protected final NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            PairList<String, Object> params) {
        NDArray x = inputs.get(0);
        Positions positions =
                inputs.size() > 1
                        ? Positions.of(inputs.get(1))
                        : Positions.range(
                                x.getManager(), x.getShape().get(0), x.getShape().get(1), 0);
        MixerState state = null;
        if (inputs.size() > 2) {
            // The caller keeps what it passed in a list.
            state = stateOf(inputs.subNDList(2)).duplicate();
        }
        Output output = forward(store, x, positions, state, training);
        return new NDList(output.y()).addAll(output.state().arrays());
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return new Shape[] {inputShapes[0]};
    }
}
