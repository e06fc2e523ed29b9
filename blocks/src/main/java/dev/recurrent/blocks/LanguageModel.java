package dev.recurrent.blocks;

import ai.djl.inference.streaming.StreamingBlock;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.SoftCapKernel;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.nn.Dropout;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.nn.RmsNorm;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.LinearMap;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/**
 * A causal language model: token ids [B, T] → logits [B, T, vocabulary].
 *
 * <p>As a DJL Block it takes {@code [ids]} or {@code [ids, positions]} and returns {@code
 * [logits]}; as a streaming Block it returns the logits piece by piece, which bounds the memory of
 * a long text. Its typed methods carry a {@link ModelState} from call to call.
 */
public final class LanguageModel extends SizedBlock implements StreamingBlock {

    private final LanguageModelConfig config;
    private final Parameter embedding;
    private final List<ResidualBlock> layers = new ArrayList<>();
    private final RmsNorm norm;
    private final Projection head;
    private Dropout dropout = new Dropout(0);
    private volatile boolean trained;

    /**
     * Constructs a model without parameter values yet.
     *
     * @param config what it is made of
     */
    public LanguageModel(LanguageModelConfig config) {
        this.config = config;
        long width = config.width();
        embedding =
                parameter(
                        "embedding.weight",
                        Parameter.Type.WEIGHT,
                        config.initialization().embedding(width),
                        config.vocabulary(),
                        width);
        for (LayerConfig layer : config.layers()) {
            layers.add(
                    addChildBlock(
                            "layers." + layers.size(),
                            new ResidualBlock(
                                    width, layer, config.norm(), config.initialization())));
        }
        norm = addChildBlock("norm", new RmsNorm(width, config.norm()));
        head =
                config.tiedHead()
                        ? null
                        : addChildBlock(
                                "lm_head",
                                new Projection(
                                        width,
                                        config.vocabulary(),
                                        false,
                                        config.initialization().projection(width)));
    }

    /**
     * What a pass returns.
     *
     * @param values logits [B, T, vocabulary] or hidden values [B, T, D]
     * @param state what the next call needs
     */
    public record Output(NDArray values, ModelState state) {}

    /**
     * Computes the logits of every token.
     *
     * @param store the parameters' store
     * @param ids int64 [B, T]
     * @param positions [B, T]
     * @param state of the tokens before, consumed; null for none
     * @param training whether gradients are wanted
     * @return logits [B, T, vocabulary] and the new state, in the manager of ids
     * @throws IllegalArgumentException if an id is not in the vocabulary or shapes do not fit
     */
    public Output forward(
            ParameterStore store,
            NDArray ids,
            Positions positions,
            ModelState state,
            boolean training) {
        Output hidden = hidden(store, ids, positions, state, training);
        NDArray logits = logits(store, hidden.values(), training);
        hidden.values().close();
        return new Output(logits, hidden.state());
    }

    /**
     * Computes the normalised hidden values, the input of {@link #logits}. A caller that needs the
     * logits of few tokens selects them in between.
     *
     * @param store the parameters' store
     * @param ids int64 [B, T]
     * @param positions [B, T]
     * @param state of the tokens before, consumed; null for none
     * @param training whether gradients are wanted
     * @return hidden values [B, T, D] and the new state, in the manager of ids
     * @throws IllegalArgumentException as {@link #forward}
     */
    public Output hidden(
            ParameterStore store,
            NDArray ids,
            Positions positions,
            ModelState state,
            boolean training) {
        trained = trained || training;
        try (TensorScope scope = new TensorScope()) {
            check(ids, positions, state);
            boolean compact = positions.isCompact();
            NDArray ordered = compact ? ids : positions.compact(ids);
            Output output = run(store, ordered, positions.compacted(), state, training);
            NDArray values = compact ? output.values() : positions.expand(output.values());
            return new Output(scope.keep(values), output.state()); // [B, T, D]
        }
    }

    /**
     * Continues every row by a token that only the device need know: nothing is read back, so that
     * the pass can be recorded in a graph. No gradients.
     *
     * @param store the parameters' store
     * @param ids int64 [B, 1], in the vocabulary: they are not checked
     * @param positions [B, 1]
     * @param state of the tokens before, consumed
     * @return logits [B, 1, vocabulary] and the new state, in the manager of ids
     * @throws IllegalArgumentException if shapes do not fit
     */
    public Output step(ParameterStore store, NDArray ids, Positions positions, ModelState state) {
        try (TensorScope scope = new TensorScope()) {
            checkShapes(ids, positions, state);
            Output hidden = run(store, ids, positions, state, false);
            NDArray logits = logits(store, hidden.values(), false);
            TensorScope.release(hidden.values());
            return new Output(scope.keep(logits), hidden.state());
        }
    }

    /**
     * Returns how far a state reaches without growing.
     *
     * @param state one of this model's
     * @return the number of positions that it has room for; {@link Long#MAX_VALUE} for all
     */
    public long capacity(ModelState state) {
        long capacity = Long.MAX_VALUE;
        for (int i = 0; i < layers.size(); i++) {
            SequenceMixer mixer = layers.get(i).mixer();
            capacity = Math.min(capacity, mixer.capacity(state.layers().get(i)));
        }
        return capacity;
    }

    private Output run(
            ParameterStore store,
            NDArray ids,
            Positions positions,
            ModelState state,
            boolean training) {
        NDArray table = value(store, embedding, ids, training);
        NDArray x = Aten.embedding(ids.getManager(), table, ids); // [B, T, D]
        if (config.embeddingScale() != 1) {
            x = x.mul(Scalars.of(config.embeddingScale()));
        }
        LayerPass pass = new LayerPass(store, positions, training, dropout);
        x = pass.dropEmbedding(x);
        for (int i = 0; i < layers.size(); i++) {
            NDArray y =
                    pass.through(layers.get(i), x, state == null ? null : state.layers().get(i));
            // The layers' own scopes let go of what they return.
            TensorScope.release(x);
            x = y;
        }
        NDArray hidden = norm.forward(store, x, training);
        TensorScope.release(x);
        return new Output(hidden, new ModelState(pass.states()));
    }

    /**
     * Applies the head.
     *
     * @param store the parameters' store
     * @param hidden [..., D], as {@link #hidden} returns it
     * @param training whether gradients are wanted
     * @return logits [..., vocabulary]
     */
    public NDArray logits(ParameterStore store, NDArray hidden, boolean training) {
        try (TensorScope scope = new TensorScope()) {
            NDArray logits =
                    head == null
                            ? LinearMap.apply(
                                    hidden, value(store, embedding, hidden, training), null)
                            : head.forward(store, hidden, training);
            return scope.keep(config.softCap() > 0 ? capped(logits) : logits); // [..., vocabulary]
        }
    }

    /** Keeps logits within the cap, in place where there is a kernel for it. */
    private NDArray capped(NDArray logits) {
        Optional<CudaDevice> device = Kernels.on(logits.getDevice());
        if (device.isPresent() && !GradientMode.records(logits) && SoftCapKernel.fits(logits)) {
            SoftCapKernel.apply(device.get(), logits, config.softCap());
            return logits;
        }
        NDArray cap = Scalars.of(config.softCap());
        return logits.div(cap).tanh().mul(cap);
    }

    /**
     * Sets what training drops; nothing at first.
     *
     * @param dropout applied in passes with {@code training} only
     */
    public void setDropout(Dropout dropout) {
        this.dropout = dropout;
        layers.forEach(layer -> layer.mixer().setAttentionDropout(dropout.attentionRate()));
    }

    /**
     * Returns whether a pass for training has begun: weights may change in place from then on, and
     * what has been derived from them may be out of date.
     */
    public boolean isTrained() {
        return trained;
    }

    /** Returns what the model is made of. */
    public LanguageModelConfig config() {
        return config;
    }

    /** Returns the layers, from the embedding to the head. */
    public List<ResidualBlock> layers() {
        return List.copyOf(layers);
    }

    /**
     * Returns the size of one row's state, in bytes, after a number of tokens.
     *
     * @param tokens how many tokens have been seen
     * @return bytes
     */
    public long stateBytes(long tokens) {
        return layers.stream().mapToLong(layer -> layer.mixer().stateBytes(tokens)).sum();
    }

    private void check(NDArray ids, Positions positions, ModelState state) {
        checkShapes(ids, positions, state);
        long least = ids.min().getLong();
        long greatest = ids.max().getLong();
        if (least < 0 || greatest >= config.vocabulary()) {
            throw new IllegalArgumentException(
                    "Token id "
                            + (least < 0 ? least : greatest)
                            + " is not in the vocabulary [0, "
                            + config.vocabulary()
                            + ")");
        }
    }

    private void checkShapes(NDArray ids, Positions positions, ModelState state) {
        Shape wanted = new Shape(positions.batch(), positions.length());
        if (ids.getDataType() != DataType.INT64 || !ids.getShape().equals(wanted)) {
            throw new IllegalArgumentException(
                    "Token ids must be int64 "
                            + wanted
                            + " like their positions, not "
                            + ids.getDataType()
                            + ids.getShape());
        }
        if (state != null && state.layers().size() != layers.size()) {
            throw new IllegalArgumentException(
                    "A state of "
                            + state.layers().size()
                            + " layers was given to a model of "
                            + layers.size());
        }
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            PairList<String, Object> params) {
        NDArray ids = inputs.get(0);
        Positions positions =
                inputs.size() > 1
                        ? Positions.of(inputs.get(1))
                        : Positions.range(
                                ids.getManager(), ids.getShape().get(0), ids.getShape().get(1), 0);
        Output output = forward(store, ids, positions, null, training);
        output.state().close();
        return new NDList(output.values());
    }

    @Override
    public Iterator<NDList> forwardStreamIter(
            ParameterStore store,
            NDList inputs,
            boolean training,
            PairList<String, Object> params) {
        if (inputs.isEmpty()) {
            return Collections.emptyIterator();
        }
        NDArray positions = inputs.size() > 1 ? inputs.get(1) : null;
        return new LogitsStream(this, store, inputs.get(0), positions, training);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return new Shape[] {inputShapes[0].add(config.vocabulary())};
    }
}
