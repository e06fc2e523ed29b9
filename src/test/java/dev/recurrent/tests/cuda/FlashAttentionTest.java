package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.util.cuda.CudaUtils;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.SlidingWindowAttention;
import dev.recurrent.blocks.rule.SlidingWindowAttention.Past;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.AttentionOracle;
import dev.recurrent.tests.support.AttentionOracle.Sizes;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Attention in half precision against pairs in float64 and against the form in fp32. */
@Tag("cuda")
class FlashAttentionTest {

    /** Weights, outputs and gradients are rounded to eight bits; a wrong key shows at 1e-1. */
    private static final double TOLERANCE = 1e-2;

    private static final int HEADS = 4;

    private NDManager manager;

    @BeforeEach
    void open() {
        CudaCase.needDevice();
        manager = NDManager.newBaseManager(Device.gpu());
    }

    @AfterEach
    void close() {
        if (manager != null) {
            manager.close();
        }
    }

    /** One call's tensors: fp32, of values that bfloat16 has. */
    private record Inputs(NDArray q, NDArray k, NDArray v, long[] positions) {

        int batch() {
            return Math.toIntExact(q.getShape().get(0));
        }

        int length() {
            return Math.toIntExact(q.getShape().get(1));
        }

        Positions places() {
            return Positions.of(q.getManager(), batch(), length(), positions);
        }

        Inputs columns(int begin, int end) {
            long[] part =
                    LongStream.range(0, batch())
                            .flatMap(
                                    row ->
                                            Arrays.stream(
                                                    positions,
                                                    (int) row * length() + begin,
                                                    (int) row * length() + end))
                            .toArray();
            return new Inputs(cut(q, begin, end), cut(k, begin, end), cut(v, begin, end), part);
        }
    }

    private Inputs inputs(int groups, int headDim, int length, long... positions) {
        int batch = positions.length / length;
        return new Inputs(
                rounded(1, batch, length, HEADS, headDim),
                rounded(2, batch, length, groups, headDim),
                rounded(3, batch, length, groups, headDim),
                positions);
    }

    private NDArray rounded(long seed, long... shape) {
        NDArray normal = Tensors.normal(manager, seed, shape);
        return Torch.cast(Torch.cast(normal, ScalarType.BFLOAT16), ScalarType.FLOAT32);
    }

    private static NDArray cut(NDArray x, long begin, long end) {
        return Aten.narrow(x, 1, begin, end - begin);
    }

    private static double scale(Inputs in) {
        return 1 / Math.sqrt(in.q.getShape().get(3));
    }

    private static NDArray fused(Inputs in, Past past, int window) {
        return MatrixPrecision.BFLOAT16.during(() -> full(in, past, window));
    }

    private static NDArray full(Inputs in, Past past, int window) {
        return SlidingWindowAttention.apply(in.q, in.k, in.v, past, in.places(), window, scale(in));
    }

    private NDArray oracle(Inputs in, int window) {
        int headDim = Math.toIntExact(in.q.getShape().get(3));
        int groups = Math.toIntExact(in.k.getShape().get(2));
        double[] o =
                AttentionOracle.attend(
                        new Sizes(in.batch(), in.length(), HEADS, groups, headDim, headDim),
                        ScanOracle.doubles(in.q),
                        ScanOracle.doubles(in.k),
                        ScanOracle.doubles(in.v),
                        in.positions,
                        window,
                        scale(in));
        return ScanOracle.tensor(manager, o, in.q.getShape());
    }

    private static NDArray real(Inputs in) {
        return in.places().real().reshape(in.batch(), in.length(), 1, 1);
    }

    /** Two plain rows. */
    private static long[] plain(int length) {
        return LongStream.range(0, 2L * length).map(i -> i % length).toArray();
    }

    /** Documents that end at odd places, and padding at the end of the second row. */
    private static long[] documents(int length) {
        long[] values = new long[2 * length];
        for (int t = 0; t < length; t++) {
            values[t] = t < length / 7 ? t : t < length / 2 ? t - length / 7 : t - length / 2;
            values[length + t] = t < 2 * length / 3 ? t : -1;
        }
        return values;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 16, 100, 129})
    void equalsTheDoubleLoop(int window) {
        for (int groups : new int[] {1, 2, HEADS}) {
            for (int length : new int[] {2, 65, 150, 300}) {
                for (int headDim : new int[] {64, 40}) {
                    String what = "KV " + groups + ", T " + length + ", K " + headDim;
                    for (long[] positions : new long[][] {plain(length), documents(length)}) {
                        Inputs in = inputs(groups, headDim, length, positions);
                        NDArray o = fused(in, null, window);
                        assertThat(Torch.typeOf(o)).isEqualTo(ScalarType.FLOAT32);
                        Tensors.assertClose(what, o.mul(real(in)), oracle(in, window), TOLERANCE);
                    }
                }
            }
        }
    }

    /** The last tokens of a sequence in reverse order, and a slot that must not count. */
    private Past past(Inputs in, int window) {
        int length = in.length();
        int held = window == 0 ? length : Math.min(length, window);
        Inputs last = in.columns(length - held, length);
        NDArray keys = last.k.flip(1).swapAxes(1, 2);
        NDArray values = last.v.flip(1).swapAxes(1, 2);
        NDArray places = manager.create(last.positions, new Shape(in.batch(), held)).flip(1);
        if (held == window) {
            return new Past(keys, values, places);
        }
        NDArray empty = manager.create(new long[] {-1}).reshape(1, 1).broadcast(in.batch(), 1);
        return new Past(
                NDArrays.concat(new NDList(keys, keys.get(":, :, :1").mul(100)), 2),
                NDArrays.concat(new NDList(values, values.get(":, :, :1").mul(100)), 2),
                NDArrays.concat(new NDList(places, empty), 1));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 16, 100})
    void continuesFromThePast(int window) {
        int length = 230;
        for (int groups : new int[] {1, HEADS}) {
            for (long[] positions : new long[][] {plain(length), documents(length)}) {
                Inputs in = inputs(groups, 64, length, positions);
                NDArray expected = oracle(in, window);
                for (int split : new int[] {1, 20, 31}) {
                    NDArray o =
                            fused(
                                    in.columns(split, length),
                                    past(in.columns(0, split), window),
                                    window);
                    Tensors.assertClose(
                            "KV " + groups + " from " + split,
                            o.mul(cut(real(in), split, length)),
                            cut(expected, split, length),
                            TOLERANCE);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0, 150, 1, 256",
        "0, 150, 2, 64",
        "37, 150, 1, 256",
        "37, 300, 2, 64",
        "2, 65, 4, 128"
    })
    void gradientsAreThoseOfFullPrecision(int window, int length, int groups, int headDim) {
        for (long[] positions : new long[][] {plain(length), documents(length)}) {
            Inputs in = inputs(groups, headDim, length, positions);
            NDArray upstream = rounded(4, in.q.getShape().getShape()).mul(real(in));
            NDArray[] variables = {in.q, in.k, in.v};
            for (NDArray variable : variables) {
                variable.setRequiresGradient(true);
            }
            NDArray[] expected = gradients(() -> full(in, null, window), upstream, variables);
            NDArray[] actual = gradients(() -> fused(in, null, window), upstream, variables);
            for (int i = 0; i < variables.length; i++) {
                Tensors.assertClose("gradient " + i, actual[i], expected[i], TOLERANCE);
            }
        }
    }

    private static NDArray[] gradients(
            Supplier<NDArray> o, NDArray upstream, NDArray... variables) {
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            collector.backward(o.get().mul(upstream).sum());
            return Arrays.stream(variables)
                    .map(
                            variable -> {
                                NDArray gradient = variable.getGradient();
                                NDArray copy = gradient.duplicate();
                                gradient.subi(gradient);
                                return copy;
                            })
                    .toArray(NDArray[]::new);
        }
    }

    /** A matrix of all pairs would take 21 GB, a mask 1 GB. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void longSequencesNeedNoMatrix(boolean packed) {
        int length = 32_768;
        int window = 2048;
        long[] positions =
                LongStream.range(0, length).map(t -> packed && t >= 5000 ? t - 5000 : t).toArray();
        NDArray q =
                Torch.cast(
                        manager.randomNormal(new Shape(1, length, 10, 256)), ScalarType.BFLOAT16);
        NDArray k =
                Torch.cast(manager.randomNormal(new Shape(1, length, 1, 256)), ScalarType.BFLOAT16);
        NDArray v =
                Torch.cast(manager.randomNormal(new Shape(1, length, 1, 256)), ScalarType.BFLOAT16);
        long before = usedMemory();
        q.setRequiresGradient(true);
        k.setRequiresGradient(true);
        v.setRequiresGradient(true);
        Positions places = Positions.of(manager, 1, length, positions);
        NDArray o;
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            o = SlidingWindowAttention.apply(q, k, v, null, places, window, 1 / 16.0);
            collector.backward(Torch.cast(o, ScalarType.FLOAT32).sum());
        }
        long used = usedMemory() - before;
        assertThat(used).isLessThan(6L << 30);
        Inputs end = new Inputs(wide(q, length), wide(k, length), wide(v, length), new long[2060]);
        Arrays.setAll(end.positions, t -> t + 1);
        NDArray expected =
                Kernels.without(
                        () ->
                                SlidingWindowAttention.apply(
                                        end.q, end.k, end.v, null, end.places(), window, 1 / 16.0));
        Tensors.assertClose(
                "last tokens",
                cut(wide(o, length), 2050, 2060),
                cut(expected, 2050, 2060),
                TOLERANCE);
    }

    private static long usedMemory() {
        return CudaUtils.hasCuda() ? CudaUtils.getGpuMemory(Device.gpu()).getUsed() : 0;
    }

    private static NDArray wide(NDArray x, int length) {
        return Torch.cast(cut(x, length - 2060, length), ScalarType.FLOAT32).stopGradient();
    }

    /** Weights of ones are counted, as on a CPU. */
    @ParameterizedTest
    @ValueSource(ints = {0, 100})
    void dropoutDropsWeights(int window) {
        int length = 400;
        NDArray q = manager.zeros(new Shape(1, length, HEADS, 64));
        NDArray k = manager.zeros(new Shape(1, length, 1, 64));
        Positions positions = Positions.range(manager, 1, length, 0);
        float[][] sums = new float[2][];
        for (int i = 0; i < 2; i++) {
            manager.getEngine().setRandomSeed(1);
            sums[i] =
                    MatrixPrecision.BFLOAT16.during(
                            () ->
                                    SlidingWindowAttention.apply(
                                                    q,
                                                    k,
                                                    k.onesLike(),
                                                    null,
                                                    positions,
                                                    window,
                                                    1,
                                                    0.25)
                                            .toFloatArray());
        }
        assertThat(sums[1]).isEqualTo(sums[0]);
        double kept = 0;
        double weights = 0;
        for (int t = 0; t < length; t++) {
            int seen = window == 0 ? t + 1 : Math.min(t + 1, window);
            for (int h = 0; h < HEADS; h++) {
                kept += sums[0][(t * HEADS + h) * 64] * seen * 0.75;
                weights += seen;
            }
        }
        // Five standard deviations, and the rounding of sums to eight bits.
        double deviation = 5 * Math.sqrt(0.25 * 0.75 / weights) + 1e-3;
        assertThat(kept / weights).isBetween(0.75 - deviation, 0.75 + deviation);
    }

    @Test
    void halfPrecisionOperandsStaySo() {
        Inputs in = inputs(2, 64, 130, plain(130));
        NDArray q = Torch.cast(in.q, ScalarType.FLOAT16);
        NDArray k = Torch.cast(in.k, ScalarType.FLOAT16);
        NDArray v = Torch.cast(in.v, ScalarType.FLOAT16);
        NDArray o = SlidingWindowAttention.apply(q, k, v, null, in.places(), 50, scale(in));
        assertThat(Torch.typeOf(o)).isEqualTo(ScalarType.FLOAT16);
        Tensors.assertClose(
                "float16", Torch.cast(o, ScalarType.FLOAT32), oracle(in, 50), TOLERANCE);
    }
}
