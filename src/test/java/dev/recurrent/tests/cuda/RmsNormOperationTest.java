package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.RmsNormOperation;
import dev.recurrent.blocks.kernel.RmsNormSettings;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.blocks.nn.RmsNorm;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.NormCase;
import dev.recurrent.tests.support.NormOracle.Form;
import dev.recurrent.tests.support.NormOracle.Norm;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernels against the definition in float64 and against the portable form. */
@Tag("cuda")
class RmsNormOperationTest {

    /** Rounding of a sum of some thousand squares in fp32, far below it in truth. */
    private static final double TOLERANCE = 1e-5;

    private static final double EPSILON = 1e-6;
    private static final int ROWS = 37;

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

    /** Below, at and above a warp, a thread's elements and a block's threads; odd and even. */
    @ParameterizedTest
    @CsvSource({
        "2, 1",
        "31, 1",
        "32, 1",
        "33, 1",
        "128, 1",
        "256, 1",
        "257, 1",
        "264, 1",
        "2560, 1",
        "8192, 1",
        "8193, 1",
        "16384, 1",
        "6, 3",
        "512, 4",
        "1026, 2"
    })
    void followsTheDefinition(int size, int parts) {
        for (Form form : Form.values()) {
            for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
                for (MatrixPrecision precision :
                        new MatrixPrecision[] {MatrixPrecision.FULL, MatrixPrecision.BFLOAT16}) {
                    Norm norm = new Norm(form, parts, size % 2 == 0, EPSILON);
                    Shape shape = new Shape(ROWS, size);
                    new NormCase(norm, shape, type, type, precision).check(manager);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void typesMix(Form form) {
        Norm norm = new Norm(form, 1, true, EPSILON);
        Shape shape = new Shape(3, 7, 5, 64);
        MatrixPrecision narrow = MatrixPrecision.BFLOAT16;
        new NormCase(norm, shape, ScalarType.FLOAT32, ScalarType.BFLOAT16, narrow).check(manager);
        new NormCase(norm, shape, ScalarType.BFLOAT16, ScalarType.FLOAT32, narrow).check(manager);
        MatrixPrecision half = MatrixPrecision.FLOAT16;
        new NormCase(norm, shape, ScalarType.FLOAT32, ScalarType.FLOAT16, half).check(manager);
    }

    /** Heads of a part of a joined projection, whose rows lie apart; and columns, which are not. */
    @ParameterizedTest
    @EnumSource(
            value = Form.class,
            names = {"NORM_THEN_GATE", "GATE_THEN_NORM"})
    void gatesAreReadWhereTheyLie(Form form) {
        for (int after : new int[] {1, 8}) {
            for (int parts : new int[] {1, 2}) {
                Norm norm = new Norm(form, parts, false, EPSILON);
                NormCase heads =
                        new NormCase(
                                norm,
                                new Shape(2, 9, 3, 32),
                                ScalarType.BFLOAT16,
                                ScalarType.BFLOAT16,
                                MatrixPrecision.FULL);
                heads.check(manager, gate -> joined(gate, after));
                heads.check(
                        manager, gate -> gate.transpose(0, 2, 1, 3).mul(1).transpose(0, 2, 1, 3));
            }
        }
    }

    /** [B, T, H, V] as a part of [B, T, 8 + H·V + after], without a graph. */
    private NDArray joined(NDArray gate, int after) {
        Shape shape = gate.getShape();
        long width = shape.get(2) * shape.get(3);
        Shape wide = new Shape(shape.get(0), shape.get(1), 8 + width + after);
        NDArray all = Aten.zeros(manager, wide, Torch.typeOf(gate), gate.getDevice());
        NDArray part = Aten.narrow(all, 2, 8, width);
        Torch.copyInto(part, gate.reshape(shape.get(0), shape.get(1), width));
        NDArray heads = part.reshape(shape);
        assertThat(TensorMemory.address(heads)).isEqualTo(TensorMemory.address(part));
        return heads;
    }

    @Test
    void agreesWithThePortableForm() {
        for (Form form : Form.values()) {
            Norm norm = new Norm(form, 2, true, EPSILON);
            NormCase test =
                    new NormCase(
                            norm,
                            new Shape(2, 5, 96),
                            ScalarType.FLOAT32,
                            ScalarType.FLOAT32,
                            MatrixPrecision.FULL);
            NDArray[] kernel = test.run(manager, gate -> gate);
            NDArray[] portable = Kernels.without(() -> test.run(manager, gate -> gate));
            for (int i = 0; i < kernel.length; i++) {
                if (portable[i] != null) {
                    Tensors.assertClose(form + " " + i, kernel[i], portable[i], TOLERANCE);
                }
            }
        }
    }

    @Test
    void withoutATapeAutogradRecordsThePortableForm() {
        RmsNorm norm = new RmsNorm(96, 2, NormConfig.zeroCentred(EPSILON));
        norm.initialize(manager, DataType.FLOAT32);
        ParameterStore store = new ParameterStore(manager, false);
        NDArray x = Tensors.normal(manager, 1, 2, 5, 96);
        NDArray kernel = GradientMode.off(() -> norm.forward(store, x, false));
        NDArray portable =
                Kernels.without(() -> GradientMode.off(() -> norm.forward(store, x, false)));
        x.setRequiresGradient(true);
        NDArray recorded = GradientMode.on(() -> norm.forward(store, x, true));
        assertThat(Torch.isDifferentiable(recorded)).isTrue();
        assertThat(recorded.toFloatArray()).isEqualTo(portable.toFloatArray());
        assertThat(Torch.isDifferentiable(kernel)).isFalse();
    }

    /** The last layer's norm may be all that reads a sum, and a sum all that is read. */
    @Test
    void oneOfTwoResultsMayHaveNoGradient() {
        RmsNormSettings settings = new RmsNormSettings(1, false, EPSILON, ScalarType.FLOAT32);
        NDArray x = Tensors.normal(manager, 1, 4, 24);
        NDArray update = Torch.cast(Tensors.normal(manager, 2, 4, 24), ScalarType.BFLOAT16);
        NDArray w = Tensors.normal(manager, 3, 24);
        NDArray gradient = Tensors.normal(manager, 4, 4, 24);
        boolean[] wanted = {true, true, true};
        NDArray[][] results = new NDArray[3][];
        for (int i = 0; i < results.length; i++) {
            try (RmsNormOperation operation =
                    new RmsNormOperation(device, RmsNormOperation.Form.ADD_THEN_NORM, settings)) {
                operation.forward(x, w, update);
                NDArray ofSum = i == 1 ? null : gradient;
                NDArray ofNorm = i == 0 ? null : gradient;
                results[i] = operation.backward(new NDArray[] {ofSum, ofNorm}, wanted);
            }
        }
        assertThat(results[0][0].toFloatArray()).isEqualTo(gradient.toFloatArray());
        assertThat(results[0][1]).isNull();
        // Their sum, rounded in another order.
        NDArray both = results[0][0].add(results[1][0]);
        Tensors.assertClose("both", results[2][0], both, TOLERANCE);
        assertThat(results[2][1].toFloatArray()).isEqualTo(results[1][1].toFloatArray());
    }

    @Test
    void rowsTooLongForABlockTakeThePortableForm() {
        int size = 16385;
        assertThat(RmsNormOperation.fits(size - 1)).isTrue();
        assertThat(RmsNormOperation.fits(size)).isFalse();
        Norm norm = new Norm(Form.PLAIN, 1, false, EPSILON);
        ScalarType type = ScalarType.FLOAT32;
        new NormCase(norm, new Shape(2, size), type, type, MatrixPrecision.FULL).check(manager);
    }

    @Test
    void refusesWhatItWouldReadAmiss() {
        NDArray x = Tensors.normal(manager, 1, 3, 40);
        NDArray w = Tensors.normal(manager, 2, 40);
        assertThatThrownBy(() -> plain().forward(x, w.duplicate().concat(w)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(3, 40) must end in the weight's 80");
        NDArray host = x.toDevice(Device.cpu(), true);
        assertThatThrownBy(() -> plain().forward(host, w))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cpu");
        RmsNormOperation gated =
                new RmsNormOperation(
                        device,
                        RmsNormOperation.Form.NORM_THEN_GATE,
                        new RmsNormSettings(1, false, EPSILON, ScalarType.FLOAT32));
        assertThatThrownBy(() -> gated.forward(x, w, w))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(3, 40) cannot be (40)");
    }

    private RmsNormOperation plain() {
        return new RmsNormOperation(
                device,
                RmsNormOperation.Form.PLAIN,
                new RmsNormSettings(1, false, EPSILON, ScalarType.FLOAT32));
    }

    @Test
    void zerosStayZeros() {
        NDArray x = manager.zeros(new Shape(3, 40));
        NDArray y = plain().forward(x, Tensors.normal(manager, 2, 40))[0];
        assertThat(y.abs().toFloatArray()).containsOnly(0f);
    }
}
