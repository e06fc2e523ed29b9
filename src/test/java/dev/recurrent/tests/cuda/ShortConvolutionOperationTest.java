package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.QueryKeyValue;
import dev.recurrent.blocks.rule.ShortConvolution;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The convolution's kernels, values and every gradient, against the portable form in float32. */
@Tag("cuda")
class ShortConvolutionOperationTest {

    /** fp32 rounding of both forms: weights' gradients are sums over all tokens. */
    private static final double TOLERANCE = 1e-5;

    /** Half a unit in the last of bf16's eight bits. */
    private static final double BFLOAT16_TOLERANCE = 1e-2;

    private static final String[] KINDS = {"fresh", "continued", "documents"};
    private static final ScalarType[] TYPES = {ScalarType.FLOAT32, ScalarType.BFLOAT16};
    private static final int B = 3;

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

    /** Fewer tokens than taps, around a run and a block of runs; channels of all alignments. */
    @ParameterizedTest
    @CsvSource({
        "1, 5, 4",
        "2, 132, 4",
        "3, 130, 4",
        "5, 64, 4",
        "8, 129, 2",
        "9, 7, 3",
        "33, 256, 5",
        "70, 36, 1",
        "513, 260, 4",
        "1100, 34, 4"
    })
    void valuesAndGradientsAreThoseOfThePortableForm(int length, int channels, int taps) {
        for (String kind : KINDS) {
            for (ScalarType type : TYPES) {
                check(kind, length, channels, taps, type, true);
                check(kind, length, channels, taps, type, false);
            }
        }
    }

    private void check(
            String kind, int length, int channels, int taps, ScalarType type, boolean silu) {
        Positions positions = device.positions(B, length, kind);
        NDArray[] weights = {
            device.normal(ScalarType.FLOAT32, 8, B, length, channels)
                    .mul(positions.real().expandDims(2)),
            taps == 1 ? null : device.normal(ScalarType.FLOAT32, 9, B, taps - 1, channels)
        };
        device.check(
                String.join(" ", type.name(), kind, length + " x " + channels + " x " + taps),
                arrays -> {
                    ShortConvolution.Output output =
                            ShortConvolution.apply(
                                    arrays[0], arrays[1], arrays[2], arrays[3], positions, silu);
                    return new NDArray[] {output.values(), output.state()};
                },
                weights,
                tolerance(type),
                inputs(type, length, channels, taps, silu));
    }

    private NDArray[] inputs(ScalarType type, int length, int channels, int taps, boolean biased) {
        return new NDArray[] {
            device.normal(type, 1, B, length, channels),
            device.normal(ScalarType.FLOAT32, 2, channels, 1, taps),
            biased ? device.normal(ScalarType.FLOAT32, 3, channels) : null,
            taps == 1 ? null : device.normal(type, 4, B, taps - 1, channels)
        };
    }

    private static double tolerance(ScalarType type) {
        return type == ScalarType.FLOAT32 ? TOLERANCE : BFLOAT16_TOLERANCE;
    }

    /** Heads of less than a warp, of a warp in several rounds, and of odd sizes. */
    @ParameterizedTest
    @CsvSource({
        "1, 2, 64, 2, 128",
        "7, 3, 128, 3, 128",
        "40, 1, 192, 2, 96",
        "150, 2, 256, 2, 512",
        "33, 2, 5, 1, 7",
        "20, 1, 65, 1, 3",
        "9, 1, 512, 1, 4"
    })
    void queriesKeysAndValuesAreThoseOfThePortableForm(
            int length, long heads, long keyDim, long valueHeads, long valueDim) {
        QueryKeyValue.Heads layout = new QueryKeyValue.Heads(heads, keyDim, valueHeads, valueDim);
        int channels = Math.toIntExact(2 * heads * keyDim + valueHeads * valueDim);
        for (String kind : KINDS) {
            Positions positions = device.positions(B, length, kind);
            NDArray real = positions.real().reshape(B, length, 1, 1);
            NDArray[] weights = {
                device.normal(ScalarType.FLOAT32, 6, B, length, heads, keyDim).mul(real),
                device.normal(ScalarType.FLOAT32, 7, B, length, heads, keyDim).mul(real),
                device.normal(ScalarType.FLOAT32, 8, B, length, valueHeads, valueDim).mul(real),
                device.normal(ScalarType.FLOAT32, 9, B, 3, channels)
            };
            for (ScalarType type : TYPES) {
                device.check(
                        String.join(" ", type.name(), kind, layout.toString()),
                        arrays -> {
                            QueryKeyValue.Output output =
                                    QueryKeyValue.apply(
                                            arrays[0], arrays[1], arrays[2], arrays[3], positions,
                                            layout);
                            return new NDArray[] {
                                output.queries(), output.keys(), output.values(), output.state()
                            };
                        },
                        weights,
                        tolerance(type),
                        inputs(type, length, channels, 4, true));
            }
        }
    }

    /** A part of a wider tensor is read where it lies, also from an odd channel on. */
    @Test
    void partsOfWiderTensorsAreRead() {
        NDArray wide = device.normal(ScalarType.FLOAT32, 1, 2, 41, 23);
        NDArray weight = device.normal(ScalarType.FLOAT32, 2, 12, 1, 4);
        Positions positions = Positions.range(device.manager, 2, 41, 0);
        for (int first : new int[] {0, 1, 4}) {
            NDArray x = Aten.narrow(wide, 2, first, 12);
            ShortConvolution.Output part = infer(x, weight, null, positions);
            ShortConvolution.Output whole =
                    Kernels.without(() -> infer(x.duplicate(), weight, null, positions));
            Tensors.assertClose("values", part.values(), whole.values(), TOLERANCE);
            Tensors.assertClose("state", part.state(), whole.state(), 0);
        }
    }

    @Test
    void statesOfPiecesContinueExactly() {
        long[] packed = {0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3};
        NDArray x = device.normal(ScalarType.FLOAT32, 1, 1, 12, 6);
        NDArray weight = device.normal(ScalarType.FLOAT32, 2, 6, 1, 4);
        Positions all = Positions.of(device.manager, 1, 12, packed);
        NDArray whole = infer(x, weight, null, all).values();
        NDArray state = null;
        for (int t = 0; t < 12; t++) {
            String column = ":, " + t + ":" + (t + 1);
            Positions one =
                    Positions.of(device.manager, 1, 1, Arrays.copyOfRange(packed, t, t + 1));
            ShortConvolution.Output output = infer(x.get(column), weight, state, one);
            assertThat(output.values().toFloatArray()).isEqualTo(whole.get(column).toFloatArray());
            state = output.state();
        }
    }

    private static ShortConvolution.Output infer(
            NDArray x, NDArray weight, NDArray state, Positions positions) {
        return GradientMode.off(() -> ShortConvolution.apply(x, weight, null, state, positions));
    }
}
