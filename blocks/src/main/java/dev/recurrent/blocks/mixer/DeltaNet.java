package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.kernel.DeltaStepKernel.Gates;
import dev.recurrent.blocks.mixer.DeltaNetConfig.QueryKeyNorm;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.Intermediate;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.nn.RmsNorm;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.DeltaStep;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.QueryKeyValue;
import dev.recurrent.blocks.rule.ShortConvolution;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;

/**
 * DeltaNet: linear attention whose state is corrected by the delta rule (arXiv 2406.06484, section
 * 4; {@code fla.layers.DeltaNet}).
 *
 * <pre>
 * q, k, v = conv(x·W_qkv), through activations;  q, k normalised per head
 * β = sigmoid(x·W_b)
 * y = (norm(delta rule(q/√K, k, v, β)) · silu(x·W_g))·W_o
 * </pre>
 *
 * The upstream's three projections and three convolutions are one of each here, in the order q, k,
 * v. The state is the last inputs of the convolution [B, W−1, 2·H·K + HV·V] and the rule's matrices
 * [B, HV, K, V], both float32.
 */
public class DeltaNet extends SequenceMixer {

    private final DeltaNetConfig config;
    private final Projection inputs;
    private final Projection strength;
    private final Projection gate;
    private final Projection output;
    private final RmsNorm norm;
    private final Parameter taps;
    private final Parameter tapsBias;

    /**
     * Constructs the mixer.
     *
     * @param width D
     * @param config its heads, sizes and conventions
     * @param initialization how its weights start
     */
    public DeltaNet(long width, DeltaNetConfig config, Initialization initialization) {
        super(width);
        this.config = config;
        Initializer initializer = initialization.projection(width);
        inputs = project("qkv_proj", width, channels(), initializer);
        strength =
                config.beta() ? project("b_proj", width, config.valueHeads(), initializer) : null;
        gate = config.outputGate() ? project("g_proj", width, values(), initializer) : null;
        output = project("o_proj", values(), width, initialization.output(values()));
        norm =
                addChildBlock(
                        "o_norm",
                        new RmsNorm(config.valueDim(), NormConfig.plain(config.epsilon())));
        taps =
                config.taps() == 0
                        ? null
                        : parameter(
                                "qkv_conv1d.weight",
                                Parameter.Type.WEIGHT,
                                initialization.convolution(config.taps()),
                                channels(),
                                1,
                                config.taps());
        tapsBias =
                config.taps() == 0 || !config.convolutionBias()
                        ? null
                        : parameter(
                                "qkv_conv1d.bias",
                                Parameter.Type.BIAS,
                                Initializer.ZEROS,
                                channels());
    }

    final Projection project(String name, long from, long to, Initializer initializer) {
        return addChildBlock(name, new Projection(from, to, false, initializer));
    }

    /** Channels of queries and keys together. */
    private long queriesAndKeys() {
        return 2 * config.heads() * config.keyDim();
    }

    private long values() {
        return config.valueHeads() * config.valueDim();
    }

    private long channels() {
        return queriesAndKeys() + values();
    }

    @Override
    protected final Output mix(
            ParameterStore store,
            NDArray x,
            Positions positions,
            MixerState state,
            boolean training) {
        RecurrentState before = (RecurrentState) state;
        if (isFused(before, positions, x)) {
            return step(store, x, before, positions);
        }
        Read read = read(store, x, before, positions, training);
        NDArray gates = gate == null ? null : gate.forward(store, x, training);
        Intermediate finished = finish(store, read.values(), gates, training);
        return new Output(output.forward(store, finished, training), read.state());
    }

    /**
     * What the rule returns, with the mixer's state.
     *
     * @param values [B, T, HV, V]
     */
    private record Read(NDArray values, RecurrentState state) {}

    private Read read(
            ParameterStore store,
            NDArray x,
            RecurrentState before,
            Positions positions,
            boolean training) {
        NDArray qkv = inputs.forward(store, x, training); // [B, T, 2·H·K + HV·V]
        NDArray convolution = before == null ? null : before.convolution();
        QueryKeyValue.Output heads =
                isUsual()
                        ? QueryKeyValue.apply(
                                qkv,
                                value(store, taps, x, training),
                                tapsBias == null ? null : value(store, tapsBias, x, training),
                                convolution,
                                positions,
                                new QueryKeyValue.Heads(
                                        config.heads(),
                                        config.keyDim(),
                                        config.valueHeads(),
                                        config.valueDim()))
                        : compose(store, x, qkv, convolution, positions, training);
        DeltaRule.Output read =
                DeltaRule.update(
                        heads.queries(),
                        heads.keys(),
                        heads.values(),
                        strength(store, x, training),
                        logDecay(store, x, training),
                        1 / Math.sqrt(config.keyDim()),
                        before == null ? null : before.memory(),
                        positions);
        return new Read(read.values(), new RecurrentState(heads.state(), read.state()));
    }

    /** Whether queries, keys and values come about as in the published models. */
    private boolean isUsual() {
        return taps != null
                && config.queryKeyActivation() == Activation.SILU
                && config.queryKeyNorm() == QueryKeyNorm.L2;
    }

    /** Whether one token's norms and gates are computed with the rule. */
    private boolean isFused(RecurrentState before, Positions positions, NDArray x) {
        return isUsual()
                && strength != null
                && before != null
                && DeltaStep.fits(before.memory(), positions, x, inputs.weight().getArray());
    }

    private Output step(
            ParameterStore store, NDArray x, RecurrentState before, Positions positions) {
        NDArray[] projected = Projection.together(store, x, false, inputs, strength, decay(), gate);
        ShortConvolution.Output convolved =
                ShortConvolution.update(
                        projected[0], // [B, 1, 2·H·K + HV·V]
                        value(store, taps, x, false),
                        tapsBias == null ? null : value(store, tapsBias, x, false),
                        before.convolution(),
                        positions,
                        true);
        NDArray all = convolved.values(); // [B, 1, 2·H·K + HV·V]
        Shape rows = all.getShape().slice(0, 2);
        NDArray qk =
                Aten.narrow(all, 2, 0, queriesAndKeys())
                        .reshape(rows.add(2 * config.heads()).add(config.keyDim()));
        NDArray v =
                Aten.narrow(all, 2, queriesAndKeys(), values())
                        .reshape(rows.add(config.valueHeads()).add(config.valueDim()));
        DeltaRule.Output read =
                DeltaStep.apply(
                        Aten.narrow(qk, 2, 0, config.heads()),
                        Aten.narrow(qk, 2, config.heads(), config.heads()),
                        v,
                        gates(store, x, projected[1], projected[2]),
                        true,
                        1 / Math.sqrt(config.keyDim()),
                        before.memory(),
                        positions);
        Intermediate finished = finish(store, read.values(), projected[3], false);
        return new Output(
                output.forward(store, finished, false),
                new RecurrentState(convolved.state(), read.state()));
    }

    /** Queries, keys and values by any of the configuration's activations and norms. */
    private QueryKeyValue.Output compose(
            ParameterStore store,
            NDArray x,
            NDArray qkv,
            NDArray before,
            Positions positions,
            boolean training) {
        ShortConvolution.Output convolved =
                taps == null
                        ? new ShortConvolution.Output(qkv, null)
                        : ShortConvolution.update(
                                qkv,
                                value(store, taps, x, training),
                                tapsBias == null ? null : value(store, tapsBias, x, training),
                                before,
                                positions,
                                false);
        // Several operations read parts of each.
        NDArray all = Tape.join(convolved.values());
        Shape rows = all.getShape().slice(0, 2);
        NDArray pairs =
                config.queryKeyActivation()
                        .apply(Aten.narrow(all, 2, 0, queriesAndKeys()))
                        .reshape(rows.add(2 * config.heads()).add(config.keyDim()));
        NDArray qk = Tape.join(normalize(pairs)); // [B, T, 2·H, K]
        NDArray v = Aten.silu(Aten.narrow(all, 2, queriesAndKeys(), values()));
        return new QueryKeyValue.Output(
                Aten.narrow(qk, 2, 0, config.heads()),
                Aten.narrow(qk, 2, config.heads(), config.heads()),
                v.reshape(rows.add(config.valueHeads()).add(config.valueDim())),
                convolved.state());
    }

    /** Returns the projection that g is made of; null where nothing decays. */
    Projection decay() {
        return null;
    }

    /**
     * Returns what β and g are made of, for a pass without gradients.
     *
     * @param store the parameters' store
     * @param x [B, 1, D]
     * @param strengths β's logits [B, 1, HV]
     * @param decays what {@link #decay} makes of x, [B, 1, HV]; null where nothing decays
     * @return the gates
     */
    Gates gates(ParameterStore store, NDArray x, NDArray strengths, NDArray decays) {
        return new Gates(strengths, null, true, greatestStrength(), null, null);
    }

    /** Returns what β does not exceed. */
    final double greatestStrength() {
        return config.negativeEigenvalues() ? 2 : 1;
    }

    /** Normalises queries and keys [B, T, 2·H, K] per head, in float32. */
    private NDArray normalize(NDArray qk) {
        if (config.queryKeyNorm() == QueryKeyNorm.L2) {
            return QueryKeyValue.normalize(qk);
        }
        NDArray wide = Torch.cast(qk, ScalarType.FLOAT32);
        return Torch.cast(wide.div(wide.sum(new int[] {3}, true)), Torch.typeOf(qk));
    }

    /** Returns β, [B, T, HV]. */
    private NDArray strength(ParameterStore store, NDArray x, boolean training) {
        NDArray beta;
        if (strength == null) {
            Shape shape = x.getShape().slice(0, 2).add(config.valueHeads());
            beta = x.getManager().ones(shape, DataType.FLOAT32);
        } else {
            NDArray logits = strength.forward(store, x, training);
            beta = Aten.sigmoid(Torch.cast(logits, ScalarType.FLOAT32));
        }
        return config.negativeEigenvalues() ? beta.mul(Scalars.of(greatestStrength())) : beta;
    }

    /**
     * Returns g, the logarithm of what a token leaves of the state.
     *
     * @param store the parameters' store
     * @param x [B, T, D]
     * @param training whether gradients are wanted
     * @return float32 [B, T, HV]; null where nothing decays
     */
    NDArray logDecay(ParameterStore store, NDArray x, boolean training) {
        return null;
    }

    /** [B, T, HV, V] and gates [B, T, HV·V] → [B, T, HV·V], normalised per head and gated. */
    private Intermediate finish(
            ParameterStore store, NDArray read, NDArray gates, boolean training) {
        Intermediate normal =
                gates == null
                        ? norm.of(store, read, training)
                        : norm.forwardThenGate(
                                store, read, gates.reshape(read.getShape()), training);
        return normal.reshape(read.getShape().slice(0, 2).add(values()));
    }

    @Override
    protected final Shape[] stateShapes(long batch) {
        Shape memory = new Shape(batch, config.valueHeads(), config.keyDim(), config.valueDim());
        return taps == null
                ? new Shape[] {memory}
                : new Shape[] {new Shape(batch, config.taps() - 1, channels()), memory};
    }

    @Override
    protected final MixerState stateOf(NDList arrays) {
        return taps == null
                ? new RecurrentState(null, arrays.get(0))
                : new RecurrentState(arrays.get(0), arrays.get(1));
    }

    @Override
    public final long stateBytes(long tokens) {
        long memory = config.valueHeads() * config.keyDim() * config.valueDim();
        long convolution = taps == null ? 0 : (config.taps() - 1) * channels();
        return (memory + convolution) * Float.BYTES;
    }
}
