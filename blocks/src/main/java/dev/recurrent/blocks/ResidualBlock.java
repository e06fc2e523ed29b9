package dev.recurrent.blocks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.mixer.MixerState;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.nn.Dropout;
import dev.recurrent.blocks.nn.GatedMlp;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.blocks.nn.RmsNorm;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.TensorScope;

/**
 * One layer on the residual stream: x += mixer(norm(x)); x += mlp(norm(x)). With post-norms: x +=
 * norm(mixer(x)); x += norm(mlp(x)).
 */
public final class ResidualBlock extends SizedBlock {

    private final boolean postNorm;
    private final RmsNorm mixerNorm;
    private final SequenceMixer mixer;
    private final RmsNorm mlpNorm;
    private final GatedMlp mlp;

    /**
     * Constructs a layer.
     *
     * @param width D
     * @param config its mixer and MLP
     * @param norm how it normalises
     * @param initialization how its weights start
     */
    public ResidualBlock(
            long width, LayerConfig config, NormConfig norm, Initialization initialization) {
        postNorm = config.postNorm();
        mixerNorm = addChildBlock("mixer_norm", new RmsNorm(width, norm));
        mixer = addChildBlock("mixer", config.mixer().create(width, initialization));
        boolean hasMlp = config.mlp() != null;
        mlpNorm = hasMlp ? addChildBlock("mlp_norm", new RmsNorm(width, norm)) : null;
        mlp =
                hasMlp
                        ? addChildBlock("mlp", new GatedMlp(width, config.mlp(), initialization))
                        : null;
    }

    /**
     * Passes the residual stream through the layer.
     *
     * @param store the parameters' store
     * @param x [B, T, D]
     * @param positions [B, T]
     * @param state of the tokens before, consumed; null for none
     * @param training whether gradients are wanted
     * @param dropout applied to what the mixer and the MLP add; null for none
     * @return [B, T, D] and the new state
     */
    public SequenceMixer.Output forward(
            ParameterStore store,
            NDArray x,
            Positions positions,
            MixerState state,
            boolean training,
            Dropout dropout) {
        try (TensorScope scope = new TensorScope()) {
            NDArray input = postNorm ? x : mixerNorm.forward(store, x, training);
            SequenceMixer.Output mixed = mixer.forward(store, input, positions, state, training);
            // An inner scope let go of it.
            NDArray update = scope.adopt(mixed.y()); // [B, T, D]
            NDArray y =
                    postNorm
                            ? afterNorms(store, x, update, training, dropout)
                            : beforeNorms(store, x, update, training, dropout);
            return new SequenceMixer.Output(scope.keep(y), mixed.state());
        }
    }

    /** Adds the mixer's update [B, T, D], then the MLP's of the sum's norm. */
    private NDArray beforeNorms(
            ParameterStore store, NDArray x, NDArray update, boolean training, Dropout dropout) {
        if (mlp == null) {
            return add(x, update, dropout); // [B, T, D]
        }
        NDArray dropped = drop(update, dropout);
        RmsNorm.Sum sum = mlpNorm.addThenForward(store, x, dropped, training);
        Tape.discard(dropped);
        if (dropout == null) {
            NDArray y = mlp.addTo(store, sum.values(), sum.normed(), training);
            NDScope.register(y);
            return y; // [B, T, D]
        }
        return add(sum.values(), mlp(store, sum.normed(), training), dropout); // [B, T, D]
    }

    /** Adds the norm of the mixer's update [B, T, D], then that of the MLP's of the sum. */
    private NDArray afterNorms(
            ParameterStore store, NDArray x, NDArray update, boolean training, Dropout dropout) {
        NDArray y = add(x, mixerNorm.forward(store, update, training), dropout);
        if (mlp == null) {
            return y; // [B, T, D]
        }
        NDArray sum = Tape.join(y);
        NDArray normed = mlpNorm.forward(store, mlp(store, sum, training), training);
        return add(sum, normed, dropout); // [B, T, D]
    }

    private NDArray mlp(ParameterStore store, NDArray x, boolean training) {
        NDArray update = mlp.forward(store, x, training);
        NDScope.register(update);
        return update; // [B, T, D]
    }

    /** An addition's backward reads none of what is added: the graph need not keep it. */
    private static NDArray add(NDArray x, NDArray update, Dropout dropout) {
        NDArray dropped = drop(update, dropout);
        NDArray sum = x.add(dropped);
        Tape.discard(dropped);
        return sum; // [B, T, D]
    }

    private static NDArray drop(NDArray update, Dropout dropout) {
        return dropout == null ? update : dropout.apply(update);
    }

    /** Returns the layer's mixer. */
    public SequenceMixer mixer() {
        return mixer;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            PairList<String, Object> params) {
        NDArray x = single(inputs);
        Positions positions =
                Positions.range(x.getManager(), x.getShape().get(0), x.getShape().get(1), 0);
        SequenceMixer.Output output = forward(store, x, positions, null, training, null);
        output.state().close();
        return new NDList(output.y());
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return inputShapes;
    }
}
