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

/**
 * A pass of one token a row, recorded as a CUDA graph: tokens, positions, state and logits are
 * always the same tensors, which a replay reads and overwrites.
 */
final class StepGraph implements AutoCloseable {

    private final LanguageModel model;
    private final ParameterStore store;
    private final ConvertedWeights weights;
    private final NDManager manager;
    private final NDArray tokens;
    private final NDArray positions;
    private final ModelState state;
    private NDArray logits;
    private CudaGraph graph;

    /**
     * Records the passes that follow; none has run.
     *
     * @param device where all tensors lie
     * @param model the model
     * @param store its parameters' store
     * @param weights what its products multiply with
     * @param owner of the tensors
     * @param places the positions of the next tokens, all above 0 and within the state's capacity
     * @param state of the tokens before; passes overwrite it
     * @throws CudaException if the pass cannot be recorded; the state is as it was
     */
    StepGraph(
            CudaDevice device,
            LanguageModel model,
            ParameterStore store,
            ConvertedWeights weights,
            NDManager owner,
            long[] places,
            ModelState state) {
        this.model = model;
        this.store = store;
        this.weights = weights;
        this.state = state;
        manager = owner.newSubManager();
        manager.setName("step");
        Shape shape = new Shape(places.length, 1);
        try (TensorScope scope = new TensorScope()) {
            tokens = scope.keep(manager.create(new long[places.length], shape));
            positions = scope.keep(manager.create(places, shape));
        }
        long last = model.capacity(state) - 1;
        try {
            graph = CudaGraph.record(device, () -> record(last));
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private void record(long last) {
        LanguageModel.Output output = pass(shared(), last);
        overwrite(output.state());
        logits = output.values();
        positions.addi(Scalars.ofLong(1));
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
        return Torch.share(owner, logits);
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
