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
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.List;

/**
 * A pass of one token a row, recorded as a CUDA graph: tokens, positions, state and logits are
 * always the same tensors, which a replay reads and overwrites. They are its own, so that it can
 * serve one session after the other.
 */
final class StepGraph implements AutoCloseable {

    private final PreparedModel model;
    private final NDManager manager;
    private final NDArray tokens;
    private final NDArray positions;
    private final ModelState state;
    private final CudaGraph graph;
    private NDArray logits;

    private record Form(Shape shape, ScalarType type) {}

    /**
     * Records the passes that follow; none has run.
     *
     * @param device where all tensors lie
     * @param model what it runs, and where it hangs
     * @param store the parameters' store
     * @param places the positions of the next tokens, all above 0 and within the state's capacity
     * @param state of the tokens before, taken over; passes overwrite it
     * @throws CudaException if the pass cannot be recorded; the state is as it was
     */
    StepGraph(
            CudaDevice device,
            PreparedModel model,
            ParameterStore store,
            long[] places,
            ModelState state) {
        this.model = model;
        this.state = state;
        manager = model.manager().newSubManager();
        manager.setName("step");
        Shape shape = new Shape(places.length, 1);
        try (TensorScope scope = new TensorScope()) {
            tokens = scope.keep(manager.create(new long[places.length], shape));
            positions = scope.keep(manager.create(places, shape));
        }
        long last = model.model().capacity(state) - 1;
        try {
            graph = CudaGraph.record(device, () -> record(store, last));
            // A manager that is closed above this one takes the graph along.
            manager.attachInternal("graph", graph);
        } catch (RuntimeException | Error e) {
            manager.close();
            throw e;
        }
        state.attach(manager);
    }

    private void record(ParameterStore store, long last) {
        LanguageModel.Output output = pass(store, shared(), last);
        overwrite(output.state());
        logits = output.values();
        positions.addi(Scalars.ofLong(1));
    }

    private LanguageModel.Output pass(ParameterStore store, ModelState from, long last) {
        return model.during(
                () ->
                        model.model()
                                .step(store, tokens, Positions.continued(positions, last), from));
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

    /** Whether another state has the form of this one's. */
    boolean fits(ModelState other) {
        return forms(other).equals(forms(state));
    }

    private static List<Form> forms(ModelState state) {
        return state.layers().stream()
                .flatMap(layer -> layer.arrays().stream())
                .map(array -> new Form(array.getShape(), Torch.typeOf(array)))
                .toList();
    }

    /**
     * Goes on after other tokens than those before.
     *
     * @param places the positions of the next tokens, as in the constructor
     * @param other the state after those tokens, of this one's form; it is closed
     */
    void restart(long[] places, ModelState other) {
        overwrite(other);
        other.close();
        try (NDArray at = manager.create(places, positions.getShape())) {
            Torch.copyInto(positions, at);
        }
    }

    /** Returns the state after the last token, overwritten by the next pass. */
    ModelState state() {
        return state;
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

    /** Lets go of the state, and frees everything else. */
    void release(NDManager owner) {
        state.attach(owner);
        close();
    }

    /** Frees everything. Closing twice is harmless. */
    @Override
    public void close() {
        graph.close();
        manager.close();
    }
}
