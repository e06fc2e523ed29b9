package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.nn.RmsNorm;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.RotaryEmbedding;
import dev.recurrent.blocks.rule.SlidingWindowAttention;
import dev.recurrent.blocks.rule.SlidingWindowAttention.Past;
import dev.recurrent.blocks.torch.Aten;

/**
 * Softmax attention with rotary positions and any number of key/value heads, over a sliding window
 * or over the whole document: o_proj(attention(rotate(q_proj x), rotate(k_proj x), v_proj x)).
 *
 * <p>It is local MQA in Griffin (arXiv 2402.19427, section 2.3) with KV = 1 and a window, and the
 * attention of flash-linear-attention's, Qwen3.5's and OLMo's hybrids with the options of {@link
 * AttentionConfig}.
 */
public final class MultiQueryAttention extends SequenceMixer {

    private final AttentionConfig config;
    private final KeyValueCache cache;
    private final Projection queries;
    private final Projection keys;
    private final Projection values;
    private final Projection output;
    private final RmsNorm queryNorm;
    private final RmsNorm keyNorm;
    private double dropout;

    /**
     * Constructs an attention mixer without parameter values yet.
     *
     * @param width D
     * @param config its heads, window and options
     * @param initialization how its weights start
     */
    public MultiQueryAttention(long width, AttentionConfig config, Initialization initialization) {
        super(width);
        this.config = config;
        cache = new KeyValueCache(config.window());
        long queryWidth = config.heads() * config.headDim();
        long keyWidth = config.keyValueHeads() * config.headDim();
        queries =
                projection(
                        "q_proj",
                        config.outputGate() ? 2 * queryWidth : queryWidth,
                        initialization);
        keys = projection("k_proj", keyWidth, initialization);
        values = projection("v_proj", keyWidth, initialization);
        output =
                addChildBlock(
                        "o_proj",
                        new Projection(
                                queryWidth,
                                width,
                                config.outputBias(),
                                initialization.output(queryWidth)));
        queryNorm = norm("q_norm", queryWidth);
        keyNorm = norm("k_norm", keyWidth);
    }

    private Projection projection(String name, long outputs, Initialization initialization) {
        return addChildBlock(
                name,
                new Projection(
                        width(),
                        outputs,
                        config.projectionBias(),
                        initialization.projection(width())));
    }

    private RmsNorm norm(String name, long size) {
        return switch (config.queryKeyNorm()) {
            case NONE -> null;
            case HEAD -> addChildBlock(name, new RmsNorm(config.headDim(), config.norm()));
            case WIDTH -> addChildBlock(name, new RmsNorm(size, config.norm()));
        };
    }

    @Override
    public void setAttentionDropout(double rate) {
        dropout = rate;
    }

    @Override
    protected Output mix(
            ParameterStore store,
            NDArray x,
            Positions positions,
            MixerState state,
            boolean training) {
        NDArray[] all = Projection.together(store, x, training, queries, keys, values);
        NDArray projected = all[0]; // [B, T, H·K or 2·H·K]
        NDArray gate = null;
        if (config.outputGate()) {
            NDArray both = heads(Tape.join(projected), config.heads(), 2 * config.headDim());
            projected = half(both, 0); // [B, T, H·K]
            gate = half(both, 1); // [B, T, H·K]
        }
        NDArray q = normalize(store, queryNorm, projected, config.heads(), training);
        NDArray k = normalize(store, keyNorm, all[1], config.keyValueHeads(), training);
        NDArray v = heads(all[2], config.keyValueHeads(), config.headDim());
        AttentionState past = (AttentionState) state;
        Attended attended =
                positions.length() == 1
                        ? step(q, k, v, past, positions, training)
                        : attend(q, k, v, past, positions, training);
        NDArray joined =
                attended.o.reshape(x.getShape().get(0), x.getShape().get(1), -1); // [B, T, H·K]
        if (gate != null) {
            joined = joined.mul(Aten.sigmoid(gate));
        }
        return new Output(output.forward(store, joined, training), attended.state);
    }

    /** What is seen, [B, T, H, K], and what the next call can see. */
    private record Attended(NDArray o, AttentionState state) {}

    /** Writes one token a row, and looks at what is held then. */
    private Attended step(
            NDArray q,
            NDArray k,
            NDArray v,
            AttentionState past,
            Positions positions,
            boolean training) {
        KeyValueCache.Step step = cache.step(past, q, k, v, positions, config, training);
        AttentionState next = step.state();
        Past seen = new Past(next.keys(), next.values(), next.positions());
        return new Attended(SlidingWindowAttention.step(step.q(), seen, positions, scale()), next);
    }

    /** Looks at a sequence and at what is held, and writes the sequence. */
    private Attended attend(
            NDArray q,
            NDArray k,
            NDArray v,
            AttentionState past,
            Positions positions,
            boolean training) {
        NDArray turned = rotate(k, positions);
        Past seen = past == null ? null : KeyValueCache.past(past);
        double dropped = training ? dropout : 0;
        NDArray o =
                SlidingWindowAttention.apply(
                        rotate(q, positions),
                        turned,
                        v,
                        seen,
                        positions,
                        config.window(),
                        scale(),
                        dropped);
        return new Attended(o, cache.write(past, turned, v, positions, training));
    }

    private NDArray rotate(NDArray x, Positions positions) {
        return RotaryEmbedding.apply(x, positions, config.rotaryDim(), config.rotaryTheta());
    }

    private double scale() {
        return 1 / Math.sqrt(config.headDim());
    }

    /** Normalises a projection where the configuration says, and splits it: [B, T, heads, K]. */
    private NDArray normalize(
            ParameterStore store, RmsNorm norm, NDArray x, long heads, boolean training) {
        return switch (config.queryKeyNorm()) {
            case NONE -> heads(x, heads, config.headDim());
            case HEAD -> norm.forward(store, heads(x, heads, config.headDim()), training);
            case WIDTH -> heads(norm.forward(store, x, training), heads, config.headDim());
        };
    }

    private static NDArray heads(NDArray x, long heads, long headDim) {
        Shape shape = x.getShape();
        return x.reshape(shape.get(0), shape.get(1), heads, headDim);
    }

    /** Joins the first or second half of every head, [B, T, H, 2K] → [B, T, H·K]. */
    private NDArray half(NDArray both, long index) {
        long headDim = config.headDim();
        Shape shape = both.getShape();
        return Aten.narrow(both, 3, index * headDim, headDim)
                .reshape(shape.get(0), shape.get(1), config.heads() * headDim);
    }

    @Override
    protected Shape[] stateShapes(long batch) {
        long slots = config.window() > 0 ? cache.slots(0) : -1;
        Shape held = new Shape(batch, config.keyValueHeads(), slots, config.headDim());
        return new Shape[] {held, held, new Shape(batch, slots)};
    }

    @Override
    protected MixerState stateOf(NDList arrays) {
        return new AttentionState(arrays.get(0), arrays.get(1), arrays.get(2));
    }

    @Override
    public long capacity(MixerState state) {
        return cache.capacity((AttentionState) state);
    }

    @Override
    public long stateBytes(long tokens) {
        long numbers = 2 * config.keyValueHeads() * config.headDim();
        int bytes = DataType.FLOAT32.getNumOfBytes();
        return cache.slots(tokens) * (numbers * bytes + Long.BYTES);
    }
}
