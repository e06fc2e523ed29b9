package dev.recurrent.tests.rule;

import static dev.recurrent.tests.support.ScanOracle.doubles;
import static dev.recurrent.tests.support.ScanOracle.tensor;
import static dev.recurrent.tests.support.Tensors.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.SlidingWindowAttention;
import dev.recurrent.blocks.rule.SlidingWindowAttention.Past;
import dev.recurrent.tests.support.AttentionOracle;
import dev.recurrent.tests.support.AttentionOracle.Sizes;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SlidingWindowAttentionTest {

    /** A softmax over up to 150 fp32 scores of a few units; a wrong key shows at 1e-2 and more. */
    private static final double TOLERANCE = 1e-5;

    /**
     * The fp32 gradient against central differences of the oracle in double precision, whose own
     * error is below 1e-8.
     */
    private static final double GRADIENT_TOLERANCE = 1e-4;

    private static final int HEADS = 4;
    private static final int KEY_DIM = 6;
    private static final double SCALE = 0.4;

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void close() {
        manager.close();
    }

    /** One call's tensors. */
    private record Inputs(NDArray q, NDArray k, NDArray v, long[] positions) {

        Sizes sizes() {
            Shape shape = k.getShape();
            return new Sizes(
                    (int) shape.get(0),
                    (int) shape.get(1),
                    HEADS,
                    (int) shape.get(2),
                    KEY_DIM,
                    (int) v.getShape().get(3));
        }

        Inputs columns(long begin, long end) {
            int batch = sizes().batch();
            int length = sizes().length();
            long[] part =
                    LongStream.range(0, batch)
                            .flatMap(
                                    row ->
                                            Arrays.stream(
                                                    positions,
                                                    (int) (row * length + begin),
                                                    (int) (row * length + end)))
                            .toArray();
            return new Inputs(cut(q, begin, end), cut(k, begin, end), cut(v, begin, end), part);
        }
    }

    private Inputs inputs(int batch, int length, int groups, int valueDim, long... positions) {
        return new Inputs(
                Tensors.normal(manager, 1, batch, length, HEADS, KEY_DIM),
                Tensors.normal(manager, 2, batch, length, groups, KEY_DIM),
                Tensors.normal(manager, 3, batch, length, groups, valueDim),
                positions);
    }

    private Inputs plain(int length, int groups) {
        long[] positions = LongStream.range(0, 2L * length).map(i -> i % length).toArray();
        return inputs(2, length, groups, KEY_DIM, positions);
    }

    private NDArray oracle(Inputs in, int window) {
        double[] o =
                AttentionOracle.attend(
                        in.sizes(),
                        doubles(in.q),
                        doubles(in.k),
                        doubles(in.v),
                        in.positions,
                        window,
                        SCALE);
        Sizes sizes = in.sizes();
        return tensor(
                manager, o, new Shape(sizes.batch(), sizes.length(), HEADS, sizes.valueDim()));
    }

    private NDArray apply(Inputs in, Past past, int window) {
        return SlidingWindowAttention.apply(in.q, in.k, in.v, past, positions(in), window, SCALE);
    }

    private Positions positions(Inputs in) {
        return Positions.of(manager, in.sizes().batch(), in.sizes().length(), in.positions);
    }

    /** One token a row. */
    private Positions at(int batch, long position) {
        long[] values = new long[batch];
        Arrays.fill(values, position);
        return Positions.of(manager, batch, 1, values);
    }

    /** The last tokens of a sequence in reverse order, with an empty slot that must not count. */
    private Past past(Inputs before, int window) {
        long length = before.sizes().length();
        long held = window == 0 ? length : Math.min(length, window);
        Inputs last = before.columns(length - held, length);
        NDArray places = manager.create(last.positions, new Shape(last.sizes().batch(), held));
        boolean full = held == window;
        return new Past(
                slots(last.k, full),
                slots(last.v, full),
                full
                        ? places.flip(1)
                        : NDArrays.concat(
                                new NDList(
                                        places.flip(1),
                                        manager.create(new long[] {-1})
                                                .reshape(1, 1)
                                                .broadcast(places.getShape().get(0), 1)),
                                1));
    }

    private static NDArray slots(NDArray x, boolean full) {
        NDArray slots = x.flip(1).swapAxes(1, 2); // [B, KV, L, K]
        if (full) {
            return slots;
        }
        NDArray garbage = slots.get(new NDIndex(":, :, :1")).mul(100);
        return NDArrays.concat(new NDList(slots, garbage), 2);
    }

    private static NDArray cut(NDArray x, long begin, long end) {
        return x.get(new NDIndex().addAllDim().addSliceDim(begin, end));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 16, 64, 100})
    void equalsTheDoubleLoop(int window) {
        for (int groups : new int[] {1, 2, HEADS}) {
            for (int length : new int[] {1, 2, 63, 64, 65, 150}) {
                Inputs in = plain(length, groups);
                assertClose(
                        "KV " + groups + ", T " + length,
                        apply(in, null, window),
                        oracle(in, window),
                        TOLERANCE);
            }
        }
    }

    /** A window of several blocks. */
    @Test
    void wideWindowsEqualTheDoubleLoop() {
        Inputs in = plain(731, 1);
        NDArray expected = oracle(in, 301);
        assertClose("plain", apply(in, null, 301), expected, TOLERANCE);
        Past past = past(in.columns(0, 350), 301);
        NDArray rest = apply(in.columns(350, 731), past, 301);
        assertClose("continued", rest, cut(expected, 350, 731), TOLERANCE);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 16, 64, 100})
    void continuesFromThePast(int window) {
        int length = 230;
        for (int groups : new int[] {1, 2, HEADS}) {
            Inputs in = plain(length, groups);
            NDArray expected = oracle(in, window);
            for (int split : new int[] {1, 20, 101, 225}) {
                Past past = past(in.columns(0, split), window);
                assertClose(
                        "KV " + groups + " from " + split,
                        apply(in.columns(split, length), past, window),
                        cut(expected, split, length),
                        TOLERANCE);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 16, 64, 100})
    void documentsAndPaddingAreKeptApart(int window) {
        int length = 150;
        long[] values = new long[2 * length];
        for (int t = 0; t < length; t++) {
            values[t] = t < 10 ? t : t < 90 ? t - 10 : t - 90;
            values[length + t] = t < 70 ? t : t < 71 ? 0 : t < 130 ? t - 71 : -1;
        }
        Inputs in = inputs(2, length, 2, 5, values);
        NDArray real = positions(in).real().reshape(2, length, 1, 1);
        NDArray expected = oracle(in, window);
        NDArray o = apply(in, null, window);
        assertClose("at once", o.mul(real), expected, TOLERANCE);
        Past past = past(in.columns(0, 5), window);
        NDArray rest = apply(in.columns(5, length), past, window);
        assertClose(
                "from a past", rest.mul(cut(real, 5, length)), cut(expected, 5, length), TOLERANCE);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 16, 100})
    void stepsEqualTheDoubleLoop(int window) {
        for (int groups : new int[] {1, 2, HEADS}) {
            Inputs in = plain(40, groups);
            Past seen = past(in, window);
            NDArray o = SlidingWindowAttention.step(cut(in.q, 39, 40), seen, at(2, 39), SCALE);
            assertClose("KV " + groups, o, cut(oracle(in, window), 39, 40), TOLERANCE);
        }
    }

    /** A row of padding before any token: unspecified, but finite. */
    @Test
    void anEmptyCacheGivesFiniteValues() {
        NDArray held = manager.ones(new Shape(1, 1, 4, KEY_DIM));
        NDArray empty = manager.create(new long[] {-1, -1, -1, -1}, new Shape(1, 4));
        NDArray q = Tensors.normal(manager, 1, 1, 1, HEADS, KEY_DIM);
        NDArray o = SlidingWindowAttention.step(q, new Past(held, held, empty), at(1, -1), SCALE);
        assertClose("mean of ones", o, o.onesLike(), TOLERANCE);
    }

    @ParameterizedTest
    @CsvSource({"0,150", "100,90", "16,60", "16,150", "100,150"})
    void laterTokensChangeNothingBefore(int window, int length) {
        Inputs in = plain(length, 2);
        NDArray o = apply(in, null, window);
        int changed = length / 2;
        for (NDArray x : new NDArray[] {in.q, in.k, in.v}) {
            x.set(new NDIndex().addAllDim().addSliceDim(changed, changed + 1), 2f);
        }
        NDArray other = apply(in, null, window);
        assertThat(cut(other, 0, changed).toFloatArray())
                .isEqualTo(cut(o, 0, changed).toFloatArray());
        assertThat(cut(other, changed, length).toFloatArray())
                .isNotEqualTo(cut(o, changed, length).toFloatArray());
    }

    /** Every way of computing: causal, masked, in plain blocks, in masked blocks. */
    @ParameterizedTest
    @CsvSource({
        "0,20,1,-1",
        "0,20,2,-1",
        "30,20,4,-1",
        "5,20,1,-1",
        "5,20,2,11",
        "5,130,1,-1",
        "70,150,2,-1",
        "5,130,2,90"
    })
    void gradientsEqualCentralDifferences(int window, int length, int groups, int reset) {
        long[] values = new long[length];
        for (int t = 0; t < length; t++) {
            values[t] = reset > 0 && t >= reset ? t - reset : t;
        }
        Inputs in = inputs(1, length, groups, KEY_DIM, values);
        NDArray upstream = Tensors.normal(manager, 4, 1, length, HEADS, KEY_DIM);
        NDArray[] variables = {in.q, in.k, in.v};
        for (NDArray variable : variables) {
            variable.setRequiresGradient(true);
        }
        try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
            collector.backward(apply(in, null, window).mul(upstream).sum());
        }
        assertGradients(in, doubles(upstream), window);
    }

    @ParameterizedTest
    @CsvSource({"0,30,12", "7,30,12", "7,150,40"})
    void gradientsReachThePast(int window, int length, int split) {
        Inputs in = inputs(1, length, 2, KEY_DIM, LongStream.range(0, length).toArray());
        NDArray upstream = Tensors.normal(manager, 4, 1, length - split, HEADS, KEY_DIM);
        double[] weights = new double[length * HEADS * KEY_DIM];
        double[] rest = doubles(upstream);
        System.arraycopy(rest, 0, weights, weights.length - rest.length, rest.length);
        for (NDArray variable : new NDArray[] {in.q, in.k, in.v}) {
            variable.setRequiresGradient(true);
        }
        try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
            Past past = past(in.columns(0, split), window);
            NDArray o = apply(in.columns(split, length), past, window);
            collector.backward(o.mul(upstream).sum());
        }
        assertGradients(in, weights, window);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, HEADS})
    void gradientsReachTheCacheOfAStep(int groups) {
        int length = 9;
        Inputs in = inputs(1, length, groups, KEY_DIM, LongStream.range(0, length).toArray());
        NDArray upstream = Tensors.normal(manager, 4, 1, 1, HEADS, KEY_DIM);
        double[] weights = new double[length * HEADS * KEY_DIM];
        double[] last = doubles(upstream);
        System.arraycopy(last, 0, weights, weights.length - last.length, last.length);
        for (NDArray variable : new NDArray[] {in.q, in.k, in.v}) {
            variable.setRequiresGradient(true);
        }
        try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
            NDArray o =
                    SlidingWindowAttention.step(
                            cut(in.q, length - 1, length), past(in, 4), at(1, length - 1), SCALE);
            collector.backward(o.mul(upstream).sum());
        }
        assertGradients(in, weights, 4);
    }

    private void assertGradients(Inputs in, double[] upstream, int window) {
        NDArray[] variables = {in.q, in.k, in.v};
        double[][] values = {doubles(in.q), doubles(in.k), doubles(in.v)};
        for (int i = 0; i < values.length; i++) {
            double[] gradient = doubles(variables[i].getGradient());
            double norm = Math.sqrt(Arrays.stream(gradient).map(g -> g * g).sum());
            assertThat(norm).isPositive();
            // Along noise, and along the gradient itself, where the derivative is its norm.
            double[] noise =
                    doubles(Tensors.normal(manager, 5 + i, variables[i].getShape().getShape()));
            double[] along = Arrays.stream(gradient).map(g -> g / norm).toArray();
            for (double[] direction : new double[][] {noise, along}) {
                double expected = difference(in, values, i, direction, upstream, window);
                double actual = dot(gradient, direction);
                assertThat(actual)
                        .as("variable %d", i)
                        .isCloseTo(expected, Offset.offset(GRADIENT_TOLERANCE * norm));
            }
        }
    }

    private double difference(
            Inputs in,
            double[][] values,
            int variable,
            double[] direction,
            double[] upstream,
            int window) {
        double step = 1e-5;
        double[] losses = new double[2];
        for (int sign = 0; sign < 2; sign++) {
            double[][] moved = values.clone();
            moved[variable] = values[variable].clone();
            for (int j = 0; j < direction.length; j++) {
                moved[variable][j] += (sign == 0 ? -step : step) * direction[j];
            }
            double[] o =
                    AttentionOracle.attend(
                            in.sizes(), moved[0], moved[1], moved[2], in.positions, window, SCALE);
            losses[sign] = dot(o, upstream);
        }
        return (losses[1] - losses[0]) / (2 * step);
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    /** Weights of ones are counted: how many are kept, and that they make up for the others. */
    @ParameterizedTest
    @CsvSource({"0,300", "0,40", "100,300", "7,200"})
    void dropoutDropsWeights(int window, int length) {
        NDArray zeros = manager.zeros(new Shape(1, length, HEADS, KEY_DIM));
        NDArray ones = manager.ones(new Shape(1, length, 1, 1));
        Positions positions = Positions.range(manager, 1, length, 0);
        NDArray keys = zeros.get(new NDIndex(":, :, :1"));
        manager.getEngine().setRandomSeed(1);
        NDArray o =
                SlidingWindowAttention.apply(
                        zeros, keys, ones, null, positions, window, SCALE, 0.25);
        manager.getEngine().setRandomSeed(1);
        NDArray again =
                SlidingWindowAttention.apply(
                        zeros, keys, ones, null, positions, window, SCALE, 0.25);
        assertThat(again.toFloatArray()).isEqualTo(o.toFloatArray());
        // Each of n weights of 1/n is kept with probability 3/4 and then is 4/(3 n).
        double kept = 0;
        double weights = 0;
        float[] sums = o.toFloatArray();
        for (int t = 0; t < length; t++) {
            int seen = window == 0 ? t + 1 : Math.min(t + 1, window);
            for (int h = 0; h < HEADS; h++) {
                double count = sums[t * HEADS + h] * seen * 0.75;
                assertThat(count).isCloseTo(Math.rint(count), Offset.offset(1e-3));
                kept += count;
                weights += seen;
            }
        }
        // Five standard deviations.
        double deviation = 5 * Math.sqrt(0.25 * 0.75 / weights);
        assertThat(kept / weights).isCloseTo(0.75, Offset.offset(deviation));
    }

    /** Rows that only end in padding need no mask of their own. */
    @ParameterizedTest
    @CsvSource({"0,60", "16,60", "16,150", "70,150"})
    void paddingAtTheEndIsNotSeen(int window, int length) {
        long[] values = new long[2 * length];
        for (int t = 0; t < length; t++) {
            values[t] = t;
            values[length + t] = t < length / 2 ? t : -1;
        }
        Inputs in = inputs(2, length, 2, 5, values);
        NDArray real = positions(in).real().reshape(2, length, 1, 1);
        NDArray o = apply(in, null, window);
        assertThat(o.isNaN().any().getBoolean()).isFalse();
        assertClose("real", o.mul(real), oracle(in, window), TOLERANCE);
    }

    @Test
    void unfitShapesAreRefused() {
        Inputs in = plain(5, 2);
        NDArray three = manager.zeros(new Shape(2, 5, 3, KEY_DIM));
        assertThatThrownBy(() -> apply(new Inputs(in.q, three, three, in.positions), null, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("KV a divisor of H")
                .hasMessageContaining("(2, 5, 3, 6)");
        Past past = past(in, 0);
        assertThatThrownBy(() -> apply(in, past, 3))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("A window of 3 keys was given a past of 6");
    }
}
