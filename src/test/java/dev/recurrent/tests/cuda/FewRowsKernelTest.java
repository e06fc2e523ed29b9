package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.FewRowsKernel;
import dev.recurrent.blocks.kernel.FewRowsKernel.Matrix;
import dev.recurrent.blocks.kernel.GatedProductOperation;
import dev.recurrent.blocks.kernel.GatedProductOperation.Function;
import dev.recurrent.blocks.rule.LinearMap;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ConvertedWeights;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernel against products in float64. */
@Tag("cuda")
class FewRowsKernelTest {

    /** Rounding of a sum of some thousand products in fp32, far below it in truth. */
    private static final double TOLERANCE = 1e-5;

    /** Half a unit in the last of bf16's eight bits: what the result is rounded to. */
    private static final double BFLOAT16_TOLERANCE = 4e-3;

    private NDManager manager;
    private CudaDevice device;

    @BeforeEach
    void open() {
        CudaCase.needDevice();
        manager = NDManager.newBaseManager(Device.gpu());
        device = Kernels.on(Device.gpu()).orElseThrow();
    }

    @AfterEach
    void close() {
        if (manager != null) {
            manager.close();
        }
    }

    /** Less than a piece of inputs and a tile of outputs, one more than several, and many. */
    @ParameterizedTest
    @CsvSource({"8, 1", "16, 5", "40, 33", "264, 17", "2560, 70", "2048, 2048"})
    void followsTheDefinition(int in, int out) {
        for (ScalarType x : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            for (int rows : new int[] {1, 2, 8, 9, 16}) {
                check(rows, in, out, x, ScalarType.BFLOAT16);
            }
            for (int rows = 1; rows <= 4; rows++) {
                check(rows, in, out, x, ScalarType.FLOAT32);
            }
        }
    }

    private void check(int rows, int in, int out, ScalarType xType, ScalarType type) {
        try (NDManager scope = manager.newSubManager()) {
            NDArray x = Torch.cast(Tensors.normal(scope, 1, rows, 1, in), xType);
            NDArray w = Torch.cast(Tensors.normal(scope, 2, out, in), type);
            NDArray b = rows % 2 == 0 ? null : Tensors.normal(scope, 3, out);
            scope.full(new Shape(rows, out), Float.NaN).close();
            NDArray y = FewRowsKernel.apply(device, x, new Matrix(w, b))[0];
            NDArray read = Torch.cast(x, type == ScalarType.FLOAT32 ? xType : type);
            NDArray wanted = exact(read).matMul(exact(w).transpose());
            wanted = b == null ? wanted : wanted.add(exact(b));
            String what = type + " " + w.getShape() + " times " + xType + " " + x.getShape();
            assertThat(Torch.typeOf(y)).as(what).isEqualTo(xType);
            NDArray wide = Torch.cast(y, ScalarType.FLOAT32);
            Tensors.assertClose(
                    what,
                    wide,
                    wanted.toType(DataType.FLOAT32, false),
                    xType == ScalarType.FLOAT32 ? TOLERANCE : BFLOAT16_TOLERANCE);
            NDArray again = FewRowsKernel.apply(device, x, new Matrix(w, b))[0];
            assertThat(Torch.cast(again, ScalarType.FLOAT32).toFloatArray())
                    .as(what)
                    .isEqualTo(wide.toFloatArray());
        }
    }

    private static NDArray exact(NDArray array) {
        return Torch.cast(Torch.cast(array, ScalarType.FLOAT32), ScalarType.FLOAT64);
    }

    /** The same sums, whichever other matrices share the launch. */
    @ParameterizedTest
    @CsvSource({"8, 1", "40, 33", "264, 17", "2048, 300"})
    void severalMatricesAreReadAsEachAlone(int in, int out) {
        for (ScalarType type : new ScalarType[] {ScalarType.BFLOAT16, ScalarType.FLOAT32}) {
            for (int rows : new int[] {1, 3, 4, 9, 16}) {
                if (!FewRowsKernel.fits(rows, in, type)) {
                    continue;
                }
                NDArray x = Tensors.normal(manager, 1, rows, in);
                Matrix[] matrices = {
                    matrix(type, out, in, true),
                    matrix(type, 3, in, false),
                    matrix(type, 16, in, true),
                    matrix(type, 2 * out + 1, in, true),
                    matrix(type, out, in, false)
                };
                NDArray[] together = FewRowsKernel.apply(device, x, matrices);
                for (int i = 0; i < matrices.length; i++) {
                    NDArray alone = FewRowsKernel.apply(device, x, matrices[i])[0];
                    // Threads, and with them the order of sums, depend on how many blocks there
                    // are.
                    Tensors.assertClose(type + " " + rows + " " + i, together[i], alone, TOLERANCE);
                }
            }
        }
    }

    private Matrix matrix(ScalarType type, int out, int in, boolean biased) {
        NDArray weight = Torch.cast(Tensors.normal(manager, 7 + out, out, in), type);
        return new Matrix(weight, biased ? Tensors.normal(manager, 5 + out, out) : null);
    }

    @ParameterizedTest
    @CsvSource({"8, 1", "40, 33", "264, 17", "2560, 3840"})
    void gatesAndAddsLikeKernelsOfTheirOwn(int in, int out) {
        for (ScalarType xType : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            // Where a sum is rounded to bf16 before it is gated, another order may round elsewhere.
            double tolerance = xType == ScalarType.FLOAT32 ? TOLERANCE : BFLOAT16_TOLERANCE;
            for (int rows : new int[] {1, 2, 8, 9, 16}) {
                NDArray x = Torch.cast(Tensors.normal(manager, 1, rows, 1, in), xType);
                Matrix gate = matrix(ScalarType.BFLOAT16, out, in, true);
                Matrix matrix = matrix(ScalarType.BFLOAT16, out, in, rows % 2 == 0);
                NDArray[] both = FewRowsKernel.apply(device, x, gate, matrix);
                for (Function function : Function.values()) {
                    NDArray wanted =
                            Tape.apply(
                                    new GatedProductOperation(device, function), both[0], both[1])[
                                    0];
                    NDArray gated = FewRowsKernel.gated(device, function, x, gate, matrix);
                    assertThat(Torch.typeOf(gated)).isEqualTo(xType);
                    Tensors.assertClose(
                            function + " " + rows, wide(gated), wide(wanted), tolerance);
                }
                NDArray stream = Tensors.normal(manager, 9, rows, 1, out);
                NDArray sum = FewRowsKernel.addTo(device, stream, x, matrix);
                assertThat(Torch.typeOf(sum)).isEqualTo(ScalarType.FLOAT32);
                NDArray alone = FewRowsKernel.apply(device, x, matrix)[0];
                Tensors.assertClose("sum " + rows, sum, stream.add(wide(alone)), tolerance);
            }
        }
    }

    private static NDArray wide(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32);
    }

    /** Kernels that start beside the end of those before must see all that these wrote. */
    @Test
    void chainsOfProductsSeeOneAnother() {
        int width = 1024;
        NDArray w =
                Torch.cast(Tensors.normal(manager, 2, width, width).div(32), ScalarType.BFLOAT16);
        Matrix matrix = new Matrix(w, null);
        NDArray x = Torch.cast(Tensors.normal(manager, 1, 2, width), ScalarType.BFLOAT16);
        float[] wanted = chain(x, matrix, true);
        for (int run = 0; run < 20; run++) {
            assertThat(chain(x, matrix, false)).isEqualTo(wanted);
        }
    }

    private float[] chain(NDArray x, Matrix matrix, boolean waiting) {
        NDArray y = x;
        for (int i = 0; i < 50; i++) {
            y = FewRowsKernel.addTo(device, x, y.tanh(), matrix);
            if (waiting) {
                wide(y).toFloatArray();
            }
            y = FewRowsKernel.apply(device, y, matrix, matrix)[1];
            if (waiting) {
                wide(y).toFloatArray();
            }
        }
        return wide(y).toFloatArray();
    }

    @Test
    void viewsThatBeginAnywhereAreRead() {
        NDArray x = Aten.narrow(Tensors.normal(manager, 1, 2, 1, 45), 2, 3, 40);
        NDArray w = Tensors.normal(manager, 2, 7, 40);
        NDArray y = FewRowsKernel.apply(device, x, new Matrix(w, null))[0];
        Tensors.assertClose("view", y, Aten.linear(x, w, null), TOLERANCE);
        NDArray offset = Aten.narrow(Tensors.normal(manager, 1, 41), 0, 1, 40).reshape(1, 40);
        NDArray z = FewRowsKernel.apply(device, offset, new Matrix(w, null))[0];
        Tensors.assertClose("offset", z, Aten.linear(offset, w, null), TOLERANCE);
    }

    @Test
    void projectionsOfFewRowsTakeItAndConvertWeightsOnce() {
        NDArray x = Tensors.normal(manager, 1, 2, 1, 64);
        NDArray w = Tensors.normal(manager, 2, 48, 64);
        NDArray wanted = Aten.linear(x, w, null);
        GradientMode.off(
                () -> {
                    NDArray y = LinearMap.apply(x, w, null);
                    Tensors.assertClose("fp32", y, wanted, TOLERANCE);
                    return y;
                });
        try (ConvertedWeights weights = new ConvertedWeights(MatrixPrecision.BFLOAT16, manager)) {
            NDArray first =
                    weights.during(
                            () -> GradientMode.off(() -> ConvertedWeights.convert(manager, w)));
            NDArray second =
                    weights.during(
                            () -> GradientMode.off(() -> ConvertedWeights.convert(manager, w)));
            assertThat(second).isSameAs(first);
            NDArray y = weights.during(() -> GradientMode.off(() -> LinearMap.apply(x, w, null)));
            assertThat(Torch.typeOf(y)).isEqualTo(ScalarType.FLOAT32);
            Tensors.assertClose("bf16", y, wanted, 1e-2);
        }
    }

    @Test
    void refusesWhatItWouldReadAmiss() {
        NDArray x = Tensors.normal(manager, 1, 5, 40);
        NDArray w = Tensors.normal(manager, 2, 7, 40);
        assertThatThrownBy(() -> FewRowsKernel.apply(device, x, new Matrix(w, null)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("x (5, 40) is not for weights FLOAT32(7, 40)");
        assertThat(FewRowsKernel.fits(17, 40, ScalarType.BFLOAT16)).isFalse();
        assertThat(FewRowsKernel.fits(1, 42, ScalarType.FLOAT32)).isFalse();
        assertThat(FewRowsKernel.fits(1, 40, ScalarType.FLOAT16)).isFalse();
    }
}
