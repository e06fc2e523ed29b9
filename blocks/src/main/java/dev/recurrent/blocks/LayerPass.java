package dev.recurrent.blocks;

import ai.djl.ndarray.NDArray;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.mixer.MixerState;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.nn.Dropout;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.ArrayList;
import java.util.List;

/** One pass of the residual stream through the layers, which collects their states. */
final class LayerPass {

    private final ParameterStore store;
    private final Positions positions;
    private final boolean training;
    private final Dropout dropout;
    private final List<MixerState> states = new ArrayList<>();

    LayerPass(ParameterStore store, Positions positions, boolean training, Dropout dropout) {
        this.store = store;
        this.positions = positions;
        this.training = training;
        this.dropout = training && dropout.isActive() ? dropout : null;
    }

    /** [B, T, D] → [B, T, D]. */
    NDArray dropEmbedding(NDArray x) {
        if (dropout == null) {
            return x;
        }
        Dropout.begin(dropout.nextSeed());
        return dropout.apply(x);
    }

    /** [B, T, D] → [B, T, D]; x is not closed. */
    NDArray through(ResidualBlock layer, NDArray x, MixerState seen) {
        int seed = dropout == null ? 0 : dropout.nextSeed();
        if (training && seen == null && Tape.isRecomputing()) {
            return Tape.recompute(
                    x,
                    (input, again) -> {
                        SequenceMixer.Output output = run(layer, input, null, seed);
                        if (again) {
                            output.state().close();
                        } else {
                            states.add(output.state());
                        }
                        return output.y();
                    });
        }
        try (TensorScope scope = new TensorScope()) {
            SequenceMixer.Output output = run(layer, Tape.join(x), seen, seed);
            states.add(output.state());
            return scope.keep(scope.adopt(output.y()));
        }
    }

    /** The seed makes a second run draw the first one's masks. */
    private SequenceMixer.Output run(ResidualBlock layer, NDArray x, MixerState seen, int seed) {
        if (dropout != null) {
            Dropout.begin(seed);
        }
        return layer.forward(store, x, positions, seen, training, dropout);
    }

    /** Returns the states of the layers passed so far. */
    List<MixerState> states() {
        return states;
    }
}
