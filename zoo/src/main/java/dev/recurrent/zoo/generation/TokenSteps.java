package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.ModelState;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.ConvertedWeights;
import java.util.Arrays;
import java.util.Optional;

/**
 * A session's passes of one token a row. Where there are kernels, the second of several in a row
 * records a graph, which the ones after it replay.
 */
final class TokenSteps implements AutoCloseable {

    private final LanguageModel model;
    private final ParameterStore store;
    private final ConvertedWeights weights;
    private final NDManager manager;
    private StepGraph graph;
    private boolean isRecordable = true;
    private boolean goesOn;

    /**
     * Constructs without a graph.
     *
     * @param manager owner of the state, and the device it lies on
     */
    TokenSteps(
            LanguageModel model,
            ParameterStore store,
            ConvertedWeights weights,
            NDManager manager) {
        this.model = model;
        this.store = store;
        this.weights = weights;
        this.manager = manager;
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
        boolean hasRoom = Arrays.stream(positions).max().orElseThrow() < model.capacity(state);
        if (graph != null && !hasRoom) {
            graph.close();
            graph = null;
        }
        LanguageModel.Output output;
        if (graph != null) {
            output = new LanguageModel.Output(graph.replay(ids, owner), state);
        } else {
            Optional<CudaDevice> device = Kernels.on(manager.getDevice());
            output =
                    goesOn && hasRoom && isRecordable && device.isPresent()
                            ? record(device.get(), ids, positions, state)
                            : pass(ids, positions, state, owner);
            output.state().attach(manager);
            output.values().attach(owner);
        }
        goesOn = true;
        return output;
    }

    private LanguageModel.Output pass(
            NDArray ids, long[] positions, ModelState state, NDManager owner) {
        Positions places = Positions.of(owner, positions.length, 1, positions);
        return model.step(store, ids, places, state);
    }

    private LanguageModel.Output record(
            CudaDevice device, NDArray ids, long[] positions, ModelState state) {
        StepGraph made =
                new StepGraph(device, model, store, weights, manager, ids, positions, state);
        if (made.isRecorded()) {
            graph = made;
        } else {
            isRecordable = false;
            made.close();
        }
        return new LanguageModel.Output(made.firstLogits(), made.state());
    }

    /** Forgets the graph: another kind of pass is about to change the state. */
    void interrupt() {
        goesOn = false;
        close();
    }

    /** Frees the graph. Closing twice is harmless. */
    @Override
    public void close() {
        if (graph != null) {
            graph.close();
            graph = null;
        }
    }
}
