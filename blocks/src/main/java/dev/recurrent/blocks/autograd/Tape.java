package dev.recurrent.blocks.autograd;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.Torch;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Cuts of autograd's graph, in the order of the forward pass. The backward pass runs autograd up to
 * the last cut, then every cut's own backward from the last to the first, each of which pushes its
 * gradients into the part of the graph before it. The gradients are those of the uncut graph.
 *
 * <p>Autograd can walk a part of a graph once. So the inputs of an operation must not have a part
 * of the graph in common, nor must two operations: what several of them are computed from is made a
 * leaf by {@link #join}.
 *
 * <p>A tape belongs to the thread that opened it, and serves one forward and one backward pass at a
 * time.
 */
public final class Tape implements AutoCloseable {

    private static final ThreadLocal<Tape> CURRENT = new ThreadLocal<>();

    private final boolean recomputing;
    private final Deque<Application> cuts = new ArrayDeque<>();
    private final Map<NDArray, Leaf> leaves = new IdentityHashMap<>();

    private Tape(boolean recomputing) {
        this.recomputing = recomputing;
    }

    /** A part of the model that can be run again. */
    @FunctionalInterface
    public interface Segment {

        /**
         * Runs the segment.
         *
         * @param x its input
         * @param again false in the forward pass, true in the backward pass, where only the result
         *     is wanted
         * @return its output
         */
        NDArray run(NDArray x, boolean again);
    }

    /**
     * Opens a tape on this thread.
     *
     * @param recomputing whether segments keep their inputs only
     * @return the tape, to be closed on the same thread
     * @throws IllegalStateException if the thread has an open tape
     */
    public static Tape open(boolean recomputing) {
        if (CURRENT.get() != null) {
            throw new IllegalStateException("This thread has an open tape; close that one first");
        }
        Tape tape = new Tape(recomputing);
        CURRENT.set(tape);
        return tape;
    }

    /** Returns whether segments of this thread's passes are to go through {@link #recompute}. */
    public static boolean isRecomputing() {
        return CURRENT.get() != null && CURRENT.get().recomputing;
    }

    /**
     * Returns whether an operation may be applied to tensors on this thread: a tape is open, or
     * autograd records nothing of them anyway.
     *
     * @param inputs null stands for no tensor
     * @return whether {@link #apply} takes them
     */
    public static boolean takes(NDArray... inputs) {
        return CURRENT.get() != null || !GradientMode.records(inputs);
    }

    /**
     * Applies an operation. Where autograd records, its graph is cut here.
     *
     * @param operation a new instance, which is closed when it is no longer needed
     * @param inputs null stands for no tensor
     * @return its outputs, leaves of autograd's graph where it records
     * @throws IllegalStateException if autograd records and this thread has no open tape
     */
    public static NDArray[] apply(Operation operation, NDArray... inputs) {
        if (!GradientMode.records(inputs)) {
            try (operation) {
                return GradientMode.off(() -> operation.forward(inputs));
            }
        }
        return current().cut(operation, inputs);
    }

    /**
     * Makes a leaf of a tensor that several operations depend on, so that all their gradients have
     * come together before they go further back.
     *
     * @param x any tensor
     * @return the same values: a leaf if autograd records x and this thread has an open tape; a
     *     tensor of its own, to be closed
     */
    public static NDArray join(NDArray x) {
        if (CURRENT.get() == null || x.hasGradient() || !GradientMode.records(x)) {
            return Torch.share(x.getManager(), x);
        }
        return current().cut(new Join(), x)[0];
    }

    /**
     * Frees the memory of a tensor that nothing reads any more: no caller, no backward of
     * autograd's (of x + y there is none that does) and no operation's, the one that made it
     * included. Gradients still pass through it. What reads it nonetheless finds NaN.
     *
     * <p>It does nothing where autograd does not record the tensor or this thread has no open tape.
     *
     * @param x any tensor of at least one axis, in memory of its own
     */
    public static void discard(NDArray x) {
        if (CURRENT.get() != null && GradientMode.records(x)) {
            Application.discard(x);
        }
    }

    /**
     * Runs a segment so that only its input is kept, on the tape of this thread.
     *
     * @param x its input, any shape
     * @param segment what to run; given the same x it must compute the same
     * @return its output, a leaf of autograd's graph
     */
    public static NDArray recompute(NDArray x, Segment segment) {
        Tape tape = current();
        return tape.cut(new Recomputation(tape, segment), x)[0];
    }

    private static Tape current() {
        Tape tape = CURRENT.get();
        if (tape == null) {
            throw new IllegalStateException("Open a tape on this thread first");
        }
        return tape;
    }

    private NDArray[] cut(Operation operation, NDArray... inputs) {
        Application application = Application.of(operation, leaves::get, inputs);
        cuts.push(application);
        for (Leaf leaf : application.outputs()) {
            leaves.put(leaf.result(), leaf);
        }
        return application.results();
    }

    /**
     * Computes the gradients of everything that led to a tensor, and adds them to those that are
     * there.
     *
     * @param target what to differentiate
     * @param gradient with respect to target, of its shape
     */
    public void backward(NDArray target, NDArray gradient) {
        Application.push(target, gradient);
        unwind(0);
    }

    /** Returns how many cuts there are. */
    int depth() {
        return cuts.size();
    }

    /** Runs the backward of the last cuts until there are {@code depth}. */
    void unwind(int depth) {
        while (cuts.size() > depth) {
            try (Application cut = cuts.pop()) {
                for (Leaf leaf : cut.outputs()) {
                    leaves.remove(leaf.result());
                }
                cut.backward();
            }
        }
    }

    /** Forgets cuts whose backward did not run, and frees the thread for another tape. */
    @Override
    public void close() {
        cuts.forEach(Application::close);
        cuts.clear();
        leaves.clear();
        CURRENT.remove();
    }
}
