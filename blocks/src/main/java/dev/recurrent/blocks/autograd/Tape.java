package dev.recurrent.blocks.autograd;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Cuts of autograd's graph, in the order of the forward pass. The backward pass runs autograd up to
 * the last cut, then every cut's own backward from the last to the first, each of which pushes its
 * gradient into the part of the graph before it. The gradients are those of the uncut graph.
 *
 * <p>A tape belongs to the thread that opened it, and serves one forward and one backward pass at a
 * time.
 *
 * <p>With recomputation ("gradient checkpointing", arXiv 1604.06174) a segment of the model keeps
 * nothing of its forward pass but its input; its backward runs it again.
 */
public final class Tape implements AutoCloseable {

    private static final ThreadLocal<Tape> CURRENT = new ThreadLocal<>();

    private final boolean recomputing;
    private final Deque<Cut> cuts = new ArrayDeque<>();

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
     * Runs a segment so that only its input is kept, on the tape of this thread.
     *
     * @param x its input, any shape
     * @param segment what to run; given the same x it must compute the same
     * @return its output, a leaf of autograd's graph
     */
    public static NDArray recompute(NDArray x, Segment segment) {
        NDManager manager = x.getManager();
        NDArray input = own(Torch.detach(manager, x));
        NDArray output = GradientMode.off(() -> segment.run(input, false));
        output.setRequiresGradient(true);
        CURRENT.get()
                .cuts
                .push(
                        new Cut(
                                own(Torch.share(manager, x)),
                                input,
                                own(Torch.share(manager, output)),
                                segment));
        return output;
    }

    /** Lets the tape alone close a tensor. */
    private static NDArray own(NDArray array) {
        NDScope.unregister(array);
        return array;
    }

    /**
     * Computes the gradients of everything that led to a tensor, and adds them to those that are
     * there.
     *
     * @param target what to differentiate
     * @param gradient with respect to target, of its shape
     */
    public void backward(NDArray target, NDArray gradient) {
        push(target, gradient);
        while (!cuts.isEmpty()) {
            try (Cut cut = cuts.pop()) {
                cut.backward();
            }
        }
    }

    private static void push(NDArray target, NDArray gradient) {
        JniUtils.backward((PtNDArray) target, (PtNDArray) gradient, false, false);
    }

    /** Forgets cuts whose backward did not run, and frees the thread for another tape. */
    @Override
    public void close() {
        cuts.forEach(Cut::close);
        cuts.clear();
        CURRENT.remove();
    }

    /**
     * A segment that was run without its graph.
     *
     * @param source its input as the part of the graph before knows it
     * @param input the same values as a leaf
     * @param output its output as the part of the graph after knows it, a leaf
     * @param segment what leads from input to output
     */
    private record Cut(NDArray source, NDArray input, NDArray output, Segment segment)
            implements AutoCloseable {

        void backward() {
            try (TensorScope scope = new TensorScope()) {
                input.setRequiresGradient(true);
                NDArray again = scope.adopt(GradientMode.on(() -> segment.run(input, true)));
                push(again, output.getGradient());
                if (Torch.isDifferentiable(source)) {
                    push(source, input.getGradient());
                }
            }
        }

        @Override
        public void close() {
            source.close();
            input.close();
            output.close();
        }
    }
}
