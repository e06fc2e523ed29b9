package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.ModelState;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.CudaGraph;
import dev.recurrent.blocks.mixer.MixerState;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.ConvertedWeights;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A pass of one token a row, recorded as a CUDA graph: tokens, positions, state and logits are
 * always the same tensors, which a replay reads and overwrites.
 */
final class StepGraph implements AutoCloseable {

    private static final Logger LOGGER = LoggerFactory.getLogger(StepGraph.class);

    private final LanguageModel model;
    private final ParameterStore store;
    private final ConvertedWeights weights;
    private final NDManager manager;
    private final NDArray tokens;
    private final NDArray positions;
    private ModelState state;
    private NDArray logits;
    private NDArray recorded;
    private CudaGraph graph;

    /**
     * Runs a pass and records the ones after it.
     *
     * @param device where all tensors lie
     * @param model the model
     * @param store its parameters' store
     * @param weights what its products multiply with
     * @param owner of the tensors
     * @param ids the tokens of this pass, int64 [B, 1]
     * @param places their positions, all above 0 and within the state's capacity
     * @param before the state of the tokens before, consumed
     */
    StepGraph(
            CudaDevice device,
            LanguageModel model,
            ParameterStore store,
            ConvertedWeights weights,
            NDManager owner,
            NDArray ids,
            long[] places,
            ModelState before) {
        this.model = model;
        this.store = store;
        this.weights = weights;
        manager = owner.newSubManager();
        manager.setName("step");
        Shape shape = new Shape(places.length, 1);
        try (TensorScope scope = new TensorScope()) {
            tokens = scope.keep(manager.create(new long[places.length], shape));
            positions = scope.keep(manager.create(places, shape));
        }
        Torch.copyInto(tokens, ids);
        state = before;
        long last = model.capacity(before) - 1;
        try {
            graph = CudaGraph.record(device, () -> run(last), () -> record(last));
        } catch (CudaException e) {
            if (logits == null) {
                close();
                throw e;
            }
            LOGGER.warn("Tokens are decoded without a CUDA graph, more slowly", e);
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private void run(long last) {
        LanguageModel.Output output = pass(state, last);
        state = output.state();
        logits = output.values();
        advance();
    }

    private void record(long last) {
        LanguageModel.Output output = pass(shared(), last);
        overwrite(output.state());
        recorded = output.values();
        advance();
    }

    private LanguageModel.Output pass(ModelState from, long last) {
        return weights.during(
                () ->
                        GradientMode.off(
                                () ->
                                        model.step(
                                                store,
                                                tokens,
                                                Positions.continued(positions, last),
                                                from)));
    }

    private void advance() {
        positions.addi(Scalars.ofLong(1));
    }

    /** Other owners of the state's tensors, since a pass closes what it consumes. */
    private ModelState shared() {
        List<MixerState> layers =
                state.layers().stream()
                        .map(
                                layer -> {
                                    NDList arrays = new NDList();
                                    layer.arrays()
                                            .forEach(a -> arrays.add(Torch.share(manager, a)));
                                    return layer.with(arrays);
                                })
                        .toList();
        return new ModelState(layers);
    }

    /** Copies what was not written in place. */
    private void overwrite(ModelState next) {
        for (int i = 0; i < next.layers().size(); i++) {
            NDList fixed = state.layers().get(i).arrays();
            NDList made = next.layers().get(i).arrays();
            for (int j = 0; j < fixed.size(); j++) {
                if (TensorMemory.address(fixed.get(j)) != TensorMemory.address(made.get(j))) {
                    Torch.copyInto(fixed.get(j), made.get(j));
                }
            }
        }
    }

    /** Returns whether passes can be replayed. */
    boolean isRecorded() {
        return graph != null;
    }

    /** Returns the state after the last pass; its tensors stay the same ones. */
    ModelState state() {
        return state;
    }

    /** Returns the logits of the pass that was run, [B, 1, vocabulary]. */
    NDArray firstLogits() {
        return logits;
    }

    /**
     * Continues every row by a token.
     *
     * @param ids int64 [B, 1]
     * @param owner of the result
     * @return logits [B, 1, vocabulary], overwritten by the next pass
     */
    NDArray replay(NDArray ids, NDManager owner) {
        Torch.copyInto(tokens, ids);
        graph.replay();
        return Torch.share(owner, recorded);
    }

    /** Frees everything but the state. Closing twice is harmless. */
    @Override
    public void close() {
        if (graph != null) {
            graph.close();
        }
        manager.close();
    }
}
