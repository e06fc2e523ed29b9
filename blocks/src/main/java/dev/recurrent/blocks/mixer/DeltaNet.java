package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.rule.Positions;

/** Placeholder. */
public class DeltaNet extends SequenceMixer {

    public DeltaNet(long width, DeltaNetConfig config, Initialization initialization) {
        super(width);
    }

    @Override
    protected Output mix(
            ParameterStore store,
            NDArray x,
            Positions positions,
            MixerState state,
            boolean training) {
        throw new IllegalStateException();
    }

    @Override
    protected Shape[] stateShapes(long batch) {
        throw new IllegalStateException();
    }

    @Override
    protected MixerState stateOf(NDList arrays) {
        throw new IllegalStateException();
    }

    @Override
    public long stateBytes(long tokens) {
        throw new IllegalStateException();
    }
}
