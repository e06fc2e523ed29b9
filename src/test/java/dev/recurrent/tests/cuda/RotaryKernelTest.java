package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.RotaryEmbedding;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.AttentionOracle;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernel against rotations in float64, of angles in fp32, and against the portable form. */
@Tag("cuda")
class RotaryKernelTest {

    /** One rounding each of sine, cosine, product and sum. */
    private static final double TOLERANCE = 1e-6;

    private static final double BFLOAT16_TOLERANCE = 1e-2;

    private static final int B = 2;
    private static final double THETA = 10_000;

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

    private Positions positions(int length) {
        long[] values = new long[B * length];
        for (int t = 0; t < length; t++) {
            values[t] = 30_000 + t;
            values[length + t] = t < length / 2 ? t : t < length - 1 ? t - length / 2 : -1;
        }
        return Positions.of(manager, B, length, values);
    }

    /** All packs, a head wider than a block's threads, one token and many. */
    @ParameterizedTest
    @CsvSource({
        "1, 10, 256, 256",
        "130, 10, 256, 128",
        "65, 1, 64, 64",
        "5, 3, 10, 6",
        "5, 3, 20, 12",
        "7, 2, 600, 2",
        "2000, 8, 64, 16"
    })
    void rotates(int length, int heads, int headDim, int rotaryDim) {
        Positions positions = positions(length);
        NDArray normal = Tensors.normal(manager, 1, B, length, heads, headDim);
        for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            NDArray x = Torch.cast(normal, type);
            NDArray wide = Torch.cast(x, ScalarType.FLOAT32);
            double[] expected =
                    AttentionOracle.rotate(
                            ScanOracle.doubles(wide),
                            positions.array().toLongArray(),
                            headDim,
                            rotaryDim,
                            THETA);
            NDArray rotated = infer(x, positions, rotaryDim);
            assertThat(Torch.typeOf(rotated)).isEqualTo(type);
            NDArray actual = Torch.cast(rotated, ScalarType.FLOAT32);
            double tolerance = type == ScalarType.FLOAT32 ? TOLERANCE : BFLOAT16_TOLERANCE;
            Tensors.assertClose(
                    type + " rotated",
                    actual,
                    ScanOracle.tensor(manager, expected, x.getShape()),
                    tolerance);
            NDArray portable = Kernels.without(() -> infer(x, positions, rotaryDim));
            Tensors.assertClose(
                    type + " beside the portable form",
                    actual,
                    Torch.cast(portable, ScalarType.FLOAT32),
                    tolerance);
        }
    }

    private static NDArray infer(NDArray x, Positions positions, long rotaryDim) {
        return GradientMode.off(() -> RotaryEmbedding.apply(x, positions, rotaryDim, THETA));
    }

    /** The second half of every head of a wider tensor, and heads before tokens. */
    @Test
    void viewsAreReadWhereTheyLie() {
        Positions positions = positions(9);
        NDArray half = Aten.narrow(Tensors.normal(manager, 1, B, 9, 3, 32), 3, 16, 16);
        NDArray swapped = Tensors.normal(manager, 1, B, 3, 9, 16).swapAxes(1, 2);
        for (NDArray x : new NDArray[] {half, swapped}) {
            assertThat(infer(x, positions, 8).toFloatArray())
                    .isEqualTo(infer(Aten.contiguous(x), positions, 8).toFloatArray());
        }
    }

    @Test
    void gradientsTurnBack() {
        Positions positions = positions(70);
        NDArray x = Tensors.normal(manager, 1, B, 70, 3, 64);
        NDArray upstream = Tensors.normal(manager, 2, B, 70, 3, 64);
        x.setRequiresGradient(true);
        try (Tape tape = Tape.open(false)) {
            NDArray y = GradientMode.on(() -> RotaryEmbedding.apply(x, positions, 48, THETA));
            tape.backward(y, upstream);
        }
        // A rotation is orthogonal: its transpose undoes it.
        NDArray turned = infer(x.getGradient(), positions, 48);
        Tensors.assertClose("gradient", turned, upstream, TOLERANCE);
    }
}
