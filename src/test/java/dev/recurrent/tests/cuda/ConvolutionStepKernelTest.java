package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.ShortConvolution;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The step's kernel against the portable form in float32, and against a pass over all tokens. */
@Tag("cuda")
class ConvolutionStepKernelTest {

    /** fp32 rounding of a handful of terms, in another order, and of SiLU. */
    private static final double TOLERANCE = 2e-6;

    /** Half a unit in the last of bf16's eight bits: what values are rounded to. */
    private static final double BFLOAT16_TOLERANCE = 4e-3;

    private CudaCase device;

    @BeforeEach
    void open() {
        device = new CudaCase();
    }

    @AfterEach
    void close() {
        if (device != null) {
            device.close();
        }
    }

    /** Channels of all alignments, around a block's, and of a model. */
    @ParameterizedTest
    @CsvSource({
        "1, 2560, 4",
        "2, 1, 4",
        "3, 130, 2",
        "5, 129, 3",
        "8, 64, 5",
        "16, 258, 4",
        "17, 7, 5"
    })
    void shiftsTheStateAsThePortableFormDoes(int batch, int channels, int taps) {
        for (long[] places : new long[][] {places(batch, false), places(batch, true)}) {
            for (boolean silu : new boolean[] {false, true}) {
                check(batch, channels, taps, places, silu, ScalarType.FLOAT32, ScalarType.FLOAT32);
                check(
                        batch,
                        channels,
                        taps,
                        places,
                        silu,
                        ScalarType.BFLOAT16,
                        ScalarType.BFLOAT16);
                check(batch, channels, taps, places, silu, ScalarType.BFLOAT16, ScalarType.FLOAT32);
            }
        }
    }

    /**
     * Where rows stand: far inside a document; or near its start, at it, and at padding as well.
     */
    static long[] places(int batch, boolean mixed) {
        long[] places = new long[batch];
        for (int row = 0; row < batch; row++) {
            places[row] = mixed ? (row + 2) % 5 - 1 : 7 + row;
        }
        return places;
    }

    /** The rows that are not padding. */
    static NDArray real(NDArray array, long... places) {
        long[] rows = new long[places.length];
        int count = 0;
        for (int row = 0; row < places.length; row++) {
            if (places[row] >= 0) {
                rows[count++] = row;
            }
        }
        return array.get(array.getManager().create(Arrays.copyOf(rows, count)));
    }

    private void check(
            int batch,
            int channels,
            int taps,
            long[] places,
            boolean silu,
            ScalarType type,
            ScalarType held) {
        NDArray x = device.normal(type, 1, batch, 1, channels);
        NDArray weight = device.normal(ScalarType.FLOAT32, 2, channels, 1, taps);
        NDArray bias = silu ? device.normal(ScalarType.FLOAT32, 3, channels) : null;
        NDArray state = device.normal(held, 4, batch, taps - 1, channels);
        NDArray wide = Torch.cast(x, ScalarType.FLOAT32);
        NDArray before = Torch.cast(state, ScalarType.FLOAT32).duplicate();
        Positions positions = Positions.of(device.manager, batch, 1, places);
        ShortConvolution.Output wanted =
                Kernels.without(() -> update(wide, weight, bias, before, positions, silu));
        device.poison(x.size(), x.size() / 2);
        ShortConvolution.Output output = update(x, weight, bias, state, positions, silu);
        String what = type + " of " + held + " " + Arrays.toString(places) + " " + state.getShape();
        assertThat(output.state()).as(what).isSameAs(state);
        assertThat(Torch.typeOf(output.values())).as(what).isEqualTo(type);
        Tensors.assertClose(what, Torch.cast(state, ScalarType.FLOAT32), wanted.state(), 0);
        Tensors.assertClose(
                what,
                real(Torch.cast(output.values(), ScalarType.FLOAT32), places),
                real(wanted.values(), places),
                type == ScalarType.FLOAT32 ? TOLERANCE : BFLOAT16_TOLERANCE);
    }

    private static ShortConvolution.Output update(
            NDArray x,
            NDArray weight,
            NDArray bias,
            NDArray state,
            Positions positions,
            boolean silu) {
        return GradientMode.off(
                () -> ShortConvolution.update(x, weight, bias, state, positions, silu));
    }

    /** A document's start forgets also what is no number. */
    @Test
    void aStartForgetsTheState() {
        NDArray x = device.normal(ScalarType.FLOAT32, 1, 2, 1, 6);
        NDArray weight = device.normal(ScalarType.FLOAT32, 2, 6, 1, 4);
        NDArray state = device.manager.full(new Shape(2, 3, 6), Float.NaN);
        state.set(new NDIndex("1"), 1);
        Positions positions = Positions.of(device.manager, 2, 1, new long[] {0, 9});
        ShortConvolution.Output output = update(x, weight, null, state, positions, false);
        NDArray newest = weight.get(":, 0, 3");
        assertThat(output.values().get("0, 0").toFloatArray())
                .isEqualTo(x.get("0, 0").mul(newest).toFloatArray());
        assertThat(state.get("0, :2").toFloatArray()).containsOnly(0);
        assertThat(state.get("0, 2").toFloatArray()).isEqualTo(x.get("0, 0").toFloatArray());
    }

    /** A part of a wider tensor is read where it lies, also from an odd channel on. */
    @Test
    void partsOfWiderTensorsAreRead() {
        NDArray wide = device.normal(ScalarType.BFLOAT16, 1, 3, 1, 24);
        NDArray weight = device.normal(ScalarType.FLOAT32, 2, 12, 1, 4);
        Positions positions = Positions.range(device.manager, 3, 1, 6);
        for (int first : new int[] {0, 1, 4, 12}) {
            NDArray x = Aten.narrow(wide, 2, first, 12);
            Supplier<NDArray> state = () -> device.normal(ScalarType.BFLOAT16, 3, 3, 3, 12);
            NDArray part = update(x, weight, null, state.get(), positions, true).values();
            NDArray whole =
                    update(Aten.contiguous(x), weight, null, state.get(), positions, true).values();
            assertThat(floats(part)).as("from " + first).isEqualTo(floats(whole));
        }
    }

    private static float[] floats(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32).toFloatArray();
    }

    /** Both kernels add in the same order. */
    @ParameterizedTest
    @CsvSource({"2, 10", "3, 7", "4, 66", "5, 32"})
    void stepsAreThePassOverAllTokens(int taps, int channels) {
        long[] packed = {0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 0, 0, 1, 2};
        int length = packed.length;
        for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            NDArray x = device.normal(type, 1, 1, length, channels);
            NDArray weight = device.normal(ScalarType.FLOAT32, 2, channels, 1, taps);
            NDArray bias = device.normal(ScalarType.FLOAT32, 3, channels);
            Positions all = Positions.of(device.manager, 1, length, packed);
            ShortConvolution.Output whole = update(x, weight, bias, null, all, true);
            Positions start = Positions.of(device.manager, 1, 1, new long[] {packed[0]});
            ShortConvolution.Output first =
                    update(Aten.narrow(x, 1, 0, 1), weight, bias, null, start, true);
            NDArray state = first.state();
            for (int t = 1; t < length; t++) {
                // One row at 0 alone would start without the state.
                Positions one =
                        packed[t] == 0
                                ? Positions.of(
                                        device.manager, 2, 1, new long[] {0, packed[t - 1] + 1})
                                : Positions.of(device.manager, 1, 1, new long[] {packed[t]});
                NDArray token = Aten.narrow(x, 1, t, 1);
                NDArray seen = state;
                if (packed[t] == 0) {
                    token = token.concat(token, 0);
                    seen = state.concat(state, 0);
                }
                ShortConvolution.Output output = update(token, weight, bias, seen, one, true);
                assertThat(output.state()).isSameAs(seen);
                state = Aten.narrow(seen, 0, 0, 1);
                assertThat(floats(Aten.narrow(output.values(), 0, 0, 1)))
                        .as(type + " token " + t)
                        .isEqualTo(floats(Aten.narrow(whole.values(), 1, t, 1)));
            }
            assertThat(floats(state)).isEqualTo(floats(whole.state()));
        }
    }

    /** A state that still has a user, and one that autograd sees, are left alone. */
    @Test
    void otherCallsLeaveTheStateAlone() {
        NDArray x = device.normal(ScalarType.FLOAT32, 1, 2, 1, 6);
        NDArray weight = device.normal(ScalarType.FLOAT32, 2, 6, 1, 4);
        NDArray state = device.normal(ScalarType.FLOAT32, 3, 2, 3, 6);
        float[] before = state.toFloatArray();
        Positions positions = Positions.range(device.manager, 2, 1, 6);
        GradientMode.off(() -> ShortConvolution.apply(x, weight, null, state, positions, true));
        assertThat(state.toFloatArray()).isEqualTo(before);
        weight.setRequiresGradient(true);
        NDArray next =
                GradientMode.on(
                                () ->
                                        ShortConvolution.update(
                                                x, weight, null, state, positions, true))
                        .state();
        assertThat(next).isNotSameAs(state);
        assertThat(state.toFloatArray()).isEqualTo(before);
    }
}
