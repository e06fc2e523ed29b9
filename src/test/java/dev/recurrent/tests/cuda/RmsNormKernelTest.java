package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.cuda.RmsNormKernel;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.blocks.nn.RmsNorm;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernel against the definition in float64 and against the portable form. */
@Tag("cuda")
class RmsNormKernelTest {

    /** Rounding of a sum of some thousand squares in fp32, far below it in truth. */
    private static final double TOLERANCE = 1e-5;

    /**
     * Half a unit in the last of bf16's eight bits, 2⁻⁸ of a power of two; cutting would cost 2⁻⁷.
     */
    private static final double BFLOAT16_TOLERANCE = 4e-3;

    private static final double EPSILON = 1e-6;
    private static final int ROWS = 37;

    private NDManager manager;
    private CudaDevice device;

    @BeforeEach
    void open() {
        assumeTrue(Engine.getEngine("PyTorch").getGpuCount() > 0, "PyTorch sees no GPU");
        manager = NDManager.newBaseManager(Device.gpu());
        device = Kernels.on(Device.gpu()).orElseThrow();
    }

    @AfterEach
    void close() {
        if (manager != null) {
            manager.close();
        }
    }

    /** Below, at and above a warp, a thread's items and a block's threads. */
    @ParameterizedTest
    @CsvSource({
        "1, 1",
        "2, 1",
        "31, 1",
        "32, 1",
        "33, 1",
        "256, 1",
        "257, 1",
        "2560, 1",
        "8192, 1",
        "8193, 1",
        "32768, 1",
        "6, 3",
        "512, 4",
        "1026, 2"
    })
    void followsTheDefinition(int size, int parts) {
        for (boolean centred : new boolean[] {false, true}) {
            check(size, parts, centred, ScalarType.FLOAT32, TOLERANCE);
            check(size, parts, centred, ScalarType.BFLOAT16, BFLOAT16_TOLERANCE);
        }
    }

    private void check(int size, int parts, boolean centred, ScalarType type, double tolerance) {
        NDArray x = Torch.cast(Tensors.normal(manager, 1, ROWS, size).mul(3), type);
        NDArray w = Tensors.normal(manager, 2, size);
        manager.full(x.getShape(), Float.NaN).close(); // what PyTorch hands out next
        NDArray y = RmsNormKernel.apply(device, x, w, parts, centred, EPSILON);
        assertThat(Torch.typeOf(y)).isEqualTo(type);
        NDArray wide = Torch.cast(y, ScalarType.FLOAT32);
        double[] values = ScanOracle.doubles(Torch.cast(x, ScalarType.FLOAT32));
        double[] expected = oracle(values, ScanOracle.doubles(w), parts, centred);
        String what = type + " " + x.getShape() + " in " + parts + (centred ? " centred" : "");
        Tensors.assertClose(
                what, wide, ScanOracle.tensor(manager, expected, x.getShape()), tolerance);
        NDArray again = RmsNormKernel.apply(device, x, w, parts, centred, EPSILON);
        assertThat(Torch.cast(again, ScalarType.FLOAT32).toFloatArray())
                .as(what)
                .isEqualTo(wide.toFloatArray());
    }

    private static double[] oracle(double[] x, double[] w, int parts, boolean centred) {
        int size = w.length / parts;
        double[] y = new double[x.length];
        for (int begin = 0; begin < x.length; begin += size) {
            double squares = 0;
            for (int i = begin; i < begin + size; i++) {
                squares += x[i] * x[i];
            }
            double scale = 1 / Math.sqrt(squares / size + EPSILON);
            for (int i = begin; i < begin + size; i++) {
                y[i] = x[i] * scale * (w[i % w.length] + (centred ? 1 : 0));
            }
        }
        return y;
    }

    @Test
    void theBlockTakesTheKernelWhereNothingIsRecorded() {
        RmsNorm norm = new RmsNorm(96, 2, NormConfig.zeroCentred(EPSILON));
        norm.initialize(manager, DataType.FLOAT32);
        ParameterStore store = new ParameterStore(manager, false);
        NDArray x = Tensors.normal(manager, 1, 2, 5, 96);
        NDArray kernel = GradientMode.off(() -> norm.forward(store, x, false));
        NDArray portable =
                Kernels.without(() -> GradientMode.off(() -> norm.forward(store, x, false)));
        Tensors.assertClose("norm", kernel, portable, TOLERANCE);
        x.setRequiresGradient(true);
        NDArray recorded = GradientMode.on(() -> norm.forward(store, x, true));
        assertThat(Torch.isDifferentiable(recorded)).isTrue();
        assertThat(recorded.toFloatArray()).isEqualTo(portable.toFloatArray());
        assertThat(Torch.isDifferentiable(kernel)).isFalse();
    }

    @Test
    void rowsTooLongForABlockTakeThePortableForm() {
        int size = 16385;
        assertThat(RmsNormKernel.fits(size - 1)).isTrue();
        assertThat(RmsNormKernel.fits(size)).isFalse();
        RmsNorm norm = new RmsNorm(size, NormConfig.plain(EPSILON));
        norm.initialize(manager, DataType.FLOAT32);
        NDArray x = Tensors.normal(manager, 1, 2, size);
        ParameterStore store = new ParameterStore(manager, false);
        NDArray y = GradientMode.off(() -> norm.forward(store, x, false));
        double[] ones = ScanOracle.doubles(manager.ones(x.getShape().slice(1)));
        double[] expected = oracle(ScanOracle.doubles(x), ones, 1, false);
        NDArray wanted = ScanOracle.tensor(manager, expected, x.getShape());
        Tensors.assertClose("long rows", y, wanted, TOLERANCE);
    }

    @Test
    void refusesWhatItWouldReadAmiss() {
        NDArray x = Tensors.normal(manager, 1, 3, 40);
        NDArray w = Tensors.normal(manager, 2, 41);
        assertThatThrownBy(() -> RmsNormKernel.apply(device, x, w, 1, false, EPSILON))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(3, 40) must end in the weight's 41");
        NDArray host = x.toDevice(Device.cpu(), true);
        assertThatThrownBy(() -> RmsNormKernel.apply(device, host, w, 1, false, EPSILON))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cpu");
    }

    @Test
    void zerosStayZeros() {
        NDArray x = manager.zeros(Tensors.normal(manager, 1, 3, 40).getShape());
        NDArray w = Tensors.normal(manager, 2, 40);
        NDArray y = RmsNormKernel.apply(device, x, w, 1, false, EPSILON);
        assertThat(y.abs().toFloatArray()).containsOnly(0f);
    }
}
