package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.GatedProduct;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.Intermediate;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.rule.GatedLinearRecurrence;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.ShortConvolution;

/**
 * Griffin's recurrent block (arXiv 2402.19427, section 2.3; {@code RecurrentBlock} of
 * google-deepmind/recurrentgemma, {@code RecurrentGemmaRecurrentBlock} of transformers):
 *
 * <pre>
 * y = linear_out(RG-LRU(conv(linear_x x)) · gelu(linear_y x))
 * </pre>
 *
 * The state is the last inputs of the convolution [B, W−1, E] and the {@link RealGatedLru}'s memory
 * [B, E].
 */
public final class RgLru extends SequenceMixer {

    private final RgLruConfig config;
    private final Projection linearX;
    private final Projection linearY;
    private final Projection linearOut;
    private final Parameter convolutionWeight;
    private final Parameter convolutionBias;
    private final RealGatedLru unit;

    /**
     * Constructs the mixer.
     *
     * @param width D
     * @param config E, blocks of the gates and W
     * @param initialization how its weights start
     */
    public RgLru(long width, RgLruConfig config, Initialization initialization) {
        super(width);
        this.config = config;
        long inner = config.recurrenceWidth();
        Initializer in = initialization.projection(width);
        linearX = addChildBlock("linear_x", new Projection(width, inner, true, in));
        linearY = addChildBlock("linear_y", new Projection(width, inner, true, in));
        linearOut =
                addChildBlock(
                        "linear_out",
                        new Projection(inner, width, true, initialization.output(inner)));
        convolutionWeight =
                parameter(
                        "conv_1d.weight",
                        Parameter.Type.WEIGHT,
                        initialization.convolution(config.taps()),
                        inner,
                        1,
                        config.taps());
        convolutionBias = parameter("conv_1d.bias", Parameter.Type.BIAS, Initializer.ZEROS, inner);
        unit =
                addChildBlock(
                        "rg_lru", new RealGatedLru(inner, config.gateBlocks(), initialization));
    }

    @Override
    protected Output mix(
            ParameterStore store,
            NDArray x,
            Positions positions,
            MixerState state,
            boolean training) {
        RecurrentState before = (RecurrentState) state;
        if (before != null && positions.length() == 1 && !training) {
            return step(store, x, positions, before);
        }
        ShortConvolution.Output convolved =
                ShortConvolution.apply(
                        linearX.forward(store, x, training), // [B, T, E]
                        value(store, convolutionWeight, x, training),
                        value(store, convolutionBias, x, training),
                        before == null ? null : before.convolution(),
                        positions);
        GatedLinearRecurrence.Output h =
                unit.forward(
                        store,
                        convolved.values(),
                        before == null ? null : before.memory(),
                        positions,
                        training);
        NDArray gate = linearY.forward(store, x, training); // [B, T, E]
        Intermediate gated = GatedProduct.of(Activation.GELU_TANH, gate, h.values());
        return new Output(
                linearOut.forward(store, gated, training),
                new RecurrentState(convolved.state(), h.state()));
    }

    /** One token of every row, whose state is overwritten where there are kernels. */
    private Output step(
            ParameterStore store, NDArray x, Positions positions, RecurrentState before) {
        NDArray[] xy = Projection.together(store, x, false, linearX, linearY); // [B, 1, E] each
        ShortConvolution.Output convolved =
                ShortConvolution.update(
                        xy[0],
                        value(store, convolutionWeight, x, false),
                        value(store, convolutionBias, x, false),
                        before.convolution(),
                        positions,
                        false);
        GatedLinearRecurrence.Output gated =
                unit.step(store, convolved.values(), xy[1], before.memory(), positions);
        return new Output(
                linearOut.forward(store, gated.values(), false),
                new RecurrentState(convolved.state(), gated.state()));
    }

    @Override
    protected Shape[] stateShapes(long batch) {
        long inner = config.recurrenceWidth();
        return new Shape[] {new Shape(batch, config.taps() - 1, inner), new Shape(batch, inner)};
    }

    @Override
    protected MixerState stateOf(NDList arrays) {
        return new RecurrentState(arrays.get(0), arrays.get(1));
    }

    @Override
    public long stateBytes(long tokens) {
        return config.taps() * config.recurrenceWidth() * Float.BYTES;
    }
}
