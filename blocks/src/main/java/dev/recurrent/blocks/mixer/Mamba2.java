package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.Intermediate;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.nn.RmsNorm;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.ShortConvolution;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;

/**
 * Mamba-2 (arXiv 2405.21060, section 7; {@code mamba_ssm.modules.mamba2.Mamba2}, {@code
 * transformers.Mamba2Mixer}):
 *
 * <pre>
 * z, [x, B, C], dt = in_proj u;   [x, B, C] = silu(conv [x, B, C])
 * dt = clamp(softplus(dt + dt_bias));   A = −exp(A_log)
 * S_t = exp(dt·A)·S_{t−1} + B_t ⊗ dt·x_t;   y_t = S_tᵀC_t + D·x_t      for every head
 * out = out_proj(norm(y · silu(z)))
 * </pre>
 *
 * The state is the last inputs of the convolution [B, W−1, E + 2·G·N] and the heads' matrices
 * float32 [B, H, N, P].
 *
 * <p>A_log, D and dt_bias start as in mamba_ssm: the logarithm of rates uniform on [1, 16], ones,
 * and steps whose logarithm is uniform. (transformers starts A_log at the logarithms of 1 … H, so
 * that the slowest head depends on nothing and the fastest on H.) In decoding, transformers does
 * not clamp dt; here one token and many are the same function.
 */
public final class Mamba2 extends SequenceMixer {

    private static final float LEAST_RATE = 1;
    private static final float GREATEST_RATE = 16;

    private final Mamba2Config config;
    private final Projection in;
    private final Parameter convolutionWeight;
    private final Parameter convolutionBias;
    private final Parameter stepBias;
    private final Parameter logRate;
    private final Parameter skip;
    private final RmsNorm norm;
    private final Projection out;

    /**
     * Constructs the mixer.
     *
     * @param width D
     * @param config its heads, sizes and conventions
     * @param initialization how its weights start
     */
    public Mamba2(long width, Mamba2Config config, Initialization initialization) {
        super(width);
        this.config = config;
        long inner = config.recurrenceWidth();
        long heads = config.heads();
        boolean bias = config.projectionBias();
        in =
                addChildBlock(
                        "in_proj",
                        new Projection(
                                width,
                                inner + channels() + heads,
                                bias,
                                initialization.projection(width)));
        convolutionWeight =
                parameter(
                        "conv1d.weight",
                        Parameter.Type.WEIGHT,
                        initialization.convolution(config.taps()),
                        channels(),
                        1,
                        config.taps());
        convolutionBias =
                config.convolutionBias()
                        ? parameter(
                                "conv1d.bias", Parameter.Type.BIAS, Initializer.ZEROS, channels())
                        : null;
        stepBias = parameter("dt_bias", Parameter.Type.OTHER, new StepBiasInitializer(), heads);
        logRate = parameter("A_log", Parameter.Type.OTHER, Mamba2::drawLogRates, heads);
        skip = parameter("D", Parameter.Type.OTHER, Initializer.ONES, heads);
        norm =
                addChildBlock(
                        "norm",
                        new RmsNorm(
                                inner, config.normGroups(), NormConfig.plain(config.epsilon())));
        out =
                addChildBlock(
                        "out_proj",
                        new Projection(inner, width, bias, initialization.output(inner)));
    }

    /** Float32 whatever the other parameters are. */
    private static NDArray drawLogRates(NDManager manager, Shape shape, DataType type) {
        return manager.randomUniform(LEAST_RATE, GREATEST_RATE, shape, DataType.FLOAT32).log();
    }

    /** Width of B, and of C. */
    private long keys() {
        return config.groups() * config.stateSize();
    }

    /** Channels of the convolution: x, B and C. */
    private long channels() {
        return config.recurrenceWidth() + 2 * keys();
    }

    @Override
    protected Output mix(
            ParameterStore store,
            NDArray x,
            Positions positions,
            MixerState state,
            boolean training) {
        RecurrentState before = (RecurrentState) state;
        long inner = config.recurrenceWidth();
        NDArray projected = Tape.join(in.forward(store, x, training));
        NDArray gate = Aten.narrow(projected, 2, 0, inner); // z [B, T, E]
        ShortConvolution.Output convolved =
                ShortConvolution.update(
                        Aten.narrow(projected, 2, inner, channels()),
                        value(store, convolutionWeight, x, training),
                        convolutionBias == null ? null : value(store, convolutionBias, x, training),
                        before == null ? null : before.convolution(),
                        positions,
                        true);
        NDArray active = Tape.join(convolved.values()); // [B, T, E + 2·G·N]
        NDArray values = heads(Aten.narrow(active, 2, 0, inner), config.heads()); // [B, T, H, P]
        NDArray steps =
                Tape.join(
                        steps(
                                store,
                                Aten.narrow(projected, 2, inner + channels(), config.heads()),
                                training));
        DeltaRule.Output read =
                DeltaRule.update(
                        heads(Aten.narrow(active, 2, inner + keys(), keys()), config.groups()), // C
                        heads(Aten.narrow(active, 2, inner, keys()), config.groups()), // B
                        Torch.cast(steps.expandDims(3).mul(values), Torch.typeOf(values)),
                        null,
                        steps.mul(rates(store, x, training)),
                        1,
                        before == null ? null : before.memory(),
                        positions);
        NDArray skipped = read.values().add(values.mul(skip(store, x, training)));
        NDArray y = skipped.reshape(x.getShape().slice(0, 2).add(inner)); // float32 [B, T, E]
        Intermediate normal = norm.gateThenForward(store, y, gate, training);
        return new Output(
                out.forward(store, normal.cast(Torch.typeOf(x)), training),
                new RecurrentState(convolved.state(), read.state()));
    }

    /** dt, float32 [B, T, H]. */
    private NDArray steps(ParameterStore store, NDArray logits, boolean training) {
        NDArray wide = Torch.cast(logits, ScalarType.FLOAT32);
        NDArray steps = Aten.softplus(wide.add(value(store, stepBias, logits, training)));
        if (config.minStep() > 0) {
            steps = steps.maximum(Scalars.of(config.minStep()));
        }
        if (config.maxStep() < Double.POSITIVE_INFINITY) {
            steps = steps.minimum(Scalars.of(config.maxStep()));
        }
        return steps;
    }

    /** A, float32 [H]. */
    private NDArray rates(ParameterStore store, NDArray x, boolean training) {
        NDArray wide = Torch.cast(value(store, logRate, x, training), ScalarType.FLOAT32);
        return Torch.call(x.getManager(), "aten::exp", wide).neg();
    }

    /** D as [H, 1]. */
    private NDArray skip(ParameterStore store, NDArray x, boolean training) {
        // unsqueeze(Tensor self, int dim)
        NDArray perHead = value(store, skip, x, training);
        return Torch.call(x.getManager(), "aten::unsqueeze", perHead, 1);
    }

    private static NDArray heads(NDArray array, long heads) {
        Shape shape = array.getShape();
        return array.reshape(shape.get(0), shape.get(1), heads, shape.get(2) / heads);
    }

    @Override
    protected Shape[] stateShapes(long batch) {
        return new Shape[] {
            new Shape(batch, config.taps() - 1, channels()),
            new Shape(batch, config.heads(), config.stateSize(), config.headDim())
        };
    }

    @Override
    protected MixerState stateOf(NDList arrays) {
        return new RecurrentState(arrays.get(0), arrays.get(1));
    }

    @Override
    public long stateBytes(long tokens) {
        long memory = config.recurrenceWidth() * config.stateSize();
        return (memory + (config.taps() - 1) * channels()) * Float.BYTES;
    }
}
