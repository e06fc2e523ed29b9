package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.kernel.DeltaStepKernel.Gates;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;

/**
 * Gated DeltaNet: {@link DeltaNet} whose state also decays, by exp(g) with g = −exp(A_log) ·
 * softplus(x·W_a + dt_bias) for each value head (arXiv 2412.06464, section 3.4; {@code
 * fla.layers.GatedDeltaNet}).
 */
public final class GatedDeltaNet extends DeltaNet {

    private static final float MAX_RATE = 16;

    /** Keeps the logarithm of a drawn zero finite. */
    private static final double MIN_RATE = 1e-6;

    private final Projection step;
    private final Parameter logRate;
    private final Parameter stepBias;

    /**
     * Constructs the mixer.
     *
     * @param width D
     * @param config its heads, sizes and conventions
     * @param initialization how its weights start
     */
    public GatedDeltaNet(long width, DeltaNetConfig config, Initialization initialization) {
        super(width, config, initialization);
        long heads = config.valueHeads();
        step = project("a_proj", width, heads, initialization.projection(width));
        logRate = parameter("A_log", Parameter.Type.OTHER, GatedDeltaNet::drawLogRate, heads);
        stepBias = parameter("dt_bias", Parameter.Type.OTHER, new StepBiasInitializer(), heads);
    }

    /** log U(0, 16), float32 whatever the other parameters are. */
    private static NDArray drawLogRate(NDManager manager, Shape shape, DataType type) {
        NDArray rate = manager.randomUniform(0, MAX_RATE, shape, DataType.FLOAT32);
        return rate.maximum(Scalars.of(MIN_RATE)).log();
    }

    @Override
    Projection decay() {
        return step;
    }

    @Override
    Gates gates(ParameterStore store, NDArray x, NDArray strengths, NDArray decays) {
        return new Gates(
                strengths,
                decays,
                true,
                greatestStrength(),
                value(store, logRate, x, false),
                value(store, stepBias, x, false));
    }

    @Override
    NDArray logDecay(ParameterStore store, NDArray x, boolean training) {
        NDArray logits = Torch.cast(step.forward(store, x, training), ScalarType.FLOAT32);
        NDArray steps = Aten.softplus(logits.add(value(store, stepBias, x, training)));
        return steps.mul(value(store, logRate, x, training).exp().neg()); // [B, T, HV]
    }
}
