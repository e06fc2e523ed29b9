package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.ModelState;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.torch.ConvertedWeights;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.function.Supplier;

/**
 * A model made ready for many generations: its weights are in the type of its products, converted
 * when they are first needed, and what a CUDA device does for a token is recorded once and taken
 * over by the next generation of as many texts.
 *
 * <p>Parameters must not change while it is open. It may serve several threads at a time. What it
 * keeps between calls is a second copy of the weights where they have to be converted, and recorded
 * steps whose states take no more than the weights do in bfloat16.
 */
public final class PreparedModel implements AutoCloseable {

    private final LanguageModel model;
    private final NDManager manager;
    private final ConvertedWeights weights;
    private final long mostIdleBytes;
    private final Deque<StepGraph> idle = new ArrayDeque<>();
    private int users = 1;
    private boolean closed;

    /**
     * Prepares a model; nothing is converted yet.
     *
     * @param model with parameter values
     * @param precision of its products
     * @param parent where it hangs: the device of the model, and the longest that it can live
     */
    public PreparedModel(LanguageModel model, MatrixPrecision precision, NDManager parent) {
        this.model = model;
        manager = parent.newSubManager();
        manager.setName("prepared");
        weights = new ConvertedWeights(precision, manager);
        mostIdleBytes = 2 * model.parameterCount();
    }

    LanguageModel model() {
        return model;
    }

    /** Where what lives as long as this hangs. */
    NDManager manager() {
        return manager;
    }

    /**
     * Returns this for another user, who ends the use by {@link #release}.
     *
     * @throws IllegalStateException if it is closed
     */
    synchronized PreparedModel share() {
        if (closed || !isOpen()) {
            throw new IllegalStateException("The prepared model is closed");
        }
        users++;
        return this;
    }

    /** Runs something without gradients in the precision, with these weights. */
    <T> T during(Supplier<T> work) {
        return weights.during(() -> GradientMode.off(work));
    }

    /**
     * Returns a recorded step, an idle one if there is one that fits.
     *
     * @param device where all tensors lie
     * @param store the parameters' store
     * @param places the positions of the next tokens, all above 0 and within the state's capacity
     * @param state of the tokens before, which becomes the step's
     * @throws CudaException if the step cannot be recorded; the state is as it was
     */
    StepGraph step(CudaDevice device, ParameterStore store, long[] places, ModelState state) {
        StepGraph known = takeIdle(state);
        if (known == null) {
            return new StepGraph(device, this, store, places, state);
        }
        known.restart(places, state);
        return known;
    }

    private synchronized StepGraph takeIdle(ModelState state) {
        for (Iterator<StepGraph> steps = idle.iterator(); steps.hasNext(); ) {
            StepGraph step = steps.next();
            if (step.fits(state)) {
                steps.remove();
                return step;
            }
        }
        return null;
    }

    /** Takes a step whose state nobody needs any more. */
    synchronized void giveBack(StepGraph step) {
        if (!isOpen()) {
            // It has gone with the manager.
            return;
        }
        idle.addFirst(step);
        long bytes = 0;
        for (Iterator<StepGraph> steps = idle.iterator(); steps.hasNext(); ) {
            StepGraph kept = steps.next();
            bytes += kept.state().bytes();
            if (bytes > mostIdleBytes) {
                steps.remove();
                kept.close();
            }
        }
    }

    boolean isOpen() {
        return manager.isOpen();
    }

    /** Ends a use. */
    synchronized void release() {
        if (--users == 0) {
            idle.clear();
            manager.close();
        }
    }

    /** Frees everything when generations that are under way have ended. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            release();
        }
    }
}
