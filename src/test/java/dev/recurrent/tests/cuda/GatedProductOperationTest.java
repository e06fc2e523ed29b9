package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.GatedProductOperation;
import dev.recurrent.blocks.kernel.GatedProductOperation.Function;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.GatedProductCase;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernels against the definition in float64 and against the portable form. */
@Tag("cuda")
class GatedProductOperationTest {

    private static final ScalarType[] TYPES = {ScalarType.FLOAT32, ScalarType.BFLOAT16};

    /** Rounding of a few fp32 operations, in two orders. */
    private static final double TOLERANCE = 1e-5;

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

    /** Below, at and above a block's packs; sizes that packs divide and that they do not. */
    @ParameterizedTest
    @EnumSource(
            value = Activation.class,
            names = {"SILU", "GELU_TANH"})
    void followsTheDefinition(Activation activation) {
        for (long width : new long[] {1, 6, 17, 40, 2048, 2049, 5000}) {
            Shape shape = new Shape(2, 3, width);
            for (ScalarType gate : TYPES) {
                for (ScalarType x : TYPES) {
                    new GatedProductCase(activation, shape, gate, x).check(manager, array -> array);
                }
            }
            new GatedProductCase(activation, shape, ScalarType.FLOAT16, ScalarType.FLOAT32)
                    .check(manager, array -> array);
        }
    }

    /** Parts of wider rows, at addresses that packs fit and do not fit; and columns. */
    @Test
    void viewsAreReadWhereTheyLie() {
        for (long before : new long[] {8, 3}) {
            for (long width : new long[] {64, 33}) {
                GatedProductCase test =
                        new GatedProductCase(
                                Activation.SILU,
                                new Shape(2, 5, width),
                                ScalarType.BFLOAT16,
                                ScalarType.FLOAT32);
                test.check(manager, array -> part(array, before));
                test.check(manager, array -> array.swapAxes(0, 1).mul(1).swapAxes(0, 1));
            }
        }
    }

    private NDArray part(NDArray array, long before) {
        Shape shape = array.getShape();
        Shape wide = new Shape(shape.get(0), shape.get(1), before + shape.get(2) + 8);
        NDArray all = Aten.zeros(manager, wide, Torch.typeOf(array), array.getDevice());
        NDArray part = Aten.narrow(all, 2, before, shape.get(2));
        Torch.copyInto(part, array);
        return part;
    }

    @Test
    void agreesWithThePortableForm() {
        GatedProductCase test =
                new GatedProductCase(
                        Activation.GELU_TANH,
                        new Shape(7, 100),
                        ScalarType.FLOAT32,
                        ScalarType.FLOAT32);
        NDArray[] kernel = test.run(manager, array -> array);
        NDArray[] portable = Kernels.without(() -> test.run(manager, array -> array));
        for (int i = 0; i < kernel.length; i++) {
            Tensors.assertClose("result " + i, kernel[i], portable[i], TOLERANCE);
        }
    }

    @Test
    void refusesWhatItWouldReadAmiss() {
        NDArray a = Tensors.normal(manager, 1, 3, 5);
        NDArray b = Tensors.normal(manager, 1, 3, 4);
        assertThatThrownBy(() -> new GatedProductOperation(device, Function.SILU).forward(a, b))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(3, 5) and (3, 4)");
    }
}
