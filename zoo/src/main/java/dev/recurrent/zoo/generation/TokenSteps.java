package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.ModelState;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.Positions;
import java.util.Arrays;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A session's passes of one token a row. Where there are kernels, a pass that is one of several in
 * a row is recorded as a graph, which it and the ones after it replay.
 */
final class TokenSteps implements AutoCloseable {

    private static final Logger LOGGER = LoggerFactory.getLogger(TokenSteps.class);

    /** A first failure may be due to something that CUDA loads when it is first called. */
    private static final int ATTEMPTS = 2;

    private final PreparedModel model;
    private final ParameterStore store;
    private final NDManager manager;
    private StepGraph graph;
    private int failures;
    private boolean goesOn;

    /**
     * Constructs without a graph.
     *
     * @param manager owner of the state, and the device it lies on
     */
    TokenSteps(PreparedModel model, ParameterStore store, NDManager manager) {
        this.model = model;
        this.store = store;
        this.manager = manager;
    }

    /** Says that the next token will not be the last. */
    void expectMore() {
        goesOn = true;
    }

    /**
     * Continues every row by a token, without gradients.
     *
     * @param ids int64 [B, 1], in the vocabulary
     * @param positions of the tokens, all above 0
     * @param state of the tokens before, consumed
     * @param owner of the logits
     * @return logits [B, 1, vocabulary] and the state after the tokens
     */
    LanguageModel.Output next(NDArray ids, long[] positions, ModelState state, NDManager owner) {
        LanguageModel block = model.model();
        if (Arrays.stream(positions).max().orElseThrow() >= block.capacity(state)) {
            forget();
        } else if (graph == null && goesOn && failures < ATTEMPTS) {
            Kernels.on(manager.getDevice()).ifPresent(device -> record(device, positions, state));
        }
        goesOn = true;
        if (graph != null) {
            return new LanguageModel.Output(graph.replay(ids, owner), graph.state());
        }
        LanguageModel.Output output =
                block.step(store, ids, Positions.of(owner, positions.length, 1, positions), state);
        output.state().attach(manager);
        output.values().attach(owner);
        return output;
    }

    private void record(CudaDevice device, long[] positions, ModelState state) {
        try {
            graph = model.step(device, store, positions, state);
        } catch (CudaException e) {
            failures++;
            if (failures == ATTEMPTS) {
                LOGGER.warn("Tokens are decoded without a CUDA graph, more slowly", e);
            }
        }
    }

    /** Forgets the graph: another kind of pass is about to change the state. */
    void interrupt() {
        goesOn = false;
        forget();
    }

    private void forget() {
        if (graph != null) {
            graph.release(manager);
            graph = null;
        }
    }

    /** Gives the graph back, and the state with it. Closing twice is harmless. */
    @Override
    public void close() {
        if (graph != null) {
            model.giveBack(graph);
            graph = null;
        }
    }
}
