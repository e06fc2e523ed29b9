package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.SoftCapKernel;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernel beside the three operators that it stands for. */
@Tag("cuda")
class SoftCapKernelTest {

    /** A rounding of fp32 in each of three steps; tanh may come from another version of CUDA. */
    private static final double TOLERANCE = 1e-6;

    /** Whole packs, sizes that no pack fits, and rows that begin anywhere. */
    @ParameterizedTest
    @CsvSource({"1, 256000, 30", "3, 32001, 30", "2, 1, 0.5", "5, 1000, 7"})
    void boundsAsTheOperatorsDo(int rows, int size, double cap) {
        try (CudaCase cuda = new CudaCase()) {
            for (ScalarType type : new ScalarType[] {ScalarType.BFLOAT16, ScalarType.FLOAT32}) {
                NDArray wide = cuda.normal(ScalarType.FLOAT32, 1, rows + 1, size).mul(40);
                NDArray all = Torch.cast(wide, type);
                // After a row, whose end need not be a multiple of 16 bytes.
                NDArray x = Aten.narrow(all, 0, 1, rows);
                NDArray scalar = Scalars.of(cap);
                NDArray expected = x.div(scalar).tanh().mul(scalar);
                assertThat(SoftCapKernel.fits(x)).isTrue();
                float[] first = Torch.cast(all, ScalarType.FLOAT32).get(0).toFloatArray();
                SoftCapKernel.apply(Kernels.on(x.getDevice()).orElseThrow(), x, cap);
                NDArray actual = Torch.cast(x, ScalarType.FLOAT32);
                NDArray wanted = Torch.cast(expected, ScalarType.FLOAT32);
                if (type == ScalarType.BFLOAT16) {
                    assertThat(actual.toFloatArray()).isEqualTo(wanted.toFloatArray());
                } else {
                    Tensors.assertClose("capped", actual, wanted, TOLERANCE);
                }
                assertThat(Torch.cast(all, ScalarType.FLOAT32).get(0).toFloatArray())
                        .isEqualTo(first);
            }
        }
    }
}
