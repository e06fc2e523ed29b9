package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.CrossEntropyOperation;
import dev.recurrent.blocks.rule.CrossEntropy;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.CrossEntropyCase;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernels against the definition in float64 and against the portable form. */
@Tag("cuda")
class CrossEntropyOperationTest {

    /** Rounding of sums of some hundred exponentials in fp32, in two orders. */
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

    /** Below, at and above a pack, a warp and a block's packs; rows that begin anywhere. */
    @ParameterizedTest
    @CsvSource({
        "1, 1, 0",
        "5, 3, 0",
        "5, 8, 1",
        "7, 257, 0",
        "7, 512, 3",
        "4, 8192, 0",
        "4, 8193, 0",
        "9, 32000, 8",
        "3, 50257, 5"
    })
    void followsTheDefinition(int rows, int vocabulary, int skipped) {
        for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            new CrossEntropyCase(rows, vocabulary, type, skipped).check(manager);
        }
    }

    @Test
    void agreesWithThePortableForm() {
        CrossEntropyCase test = new CrossEntropyCase(10, 300, ScalarType.FLOAT32, 0);
        NDArray[] kernel = test.run(manager);
        NDArray[] portable = Kernels.without(() -> test.run(manager));
        for (int i = 0; i < kernel.length; i++) {
            Tensors.assertClose("result " + i, kernel[i], portable[i], TOLERANCE);
        }
    }

    @Test
    void extremeLogitsAreAsGoodAsAny() {
        float[] values = {
            1e4f, 0, -1e4f, 0, 0, 0, Float.NEGATIVE_INFINITY, 0, -1e30f, -3e38f, -3e38f, 0
        };
        NDArray logits = manager.create(values, new Shape(4, 3));
        NDArray labels = manager.create(new long[] {2, 1, 1, 2});
        float[] losses = CrossEntropy.losses(logits, labels, -1).toFloatArray();
        float[] expected = {20000, (float) Math.log(3), 0, 0};
        assertThat(losses).containsExactly(expected, offset(1e-6f));
        NDArray unreal = manager.create(new float[] {0, Float.NaN}, new Shape(1, 2));
        assertThat(CrossEntropy.losses(unreal, manager.create(new long[1]), -1).getFloat(0))
                .isNaN();
    }

    @Test
    void refusesWhatItWouldReadAmiss() {
        NDArray logits = Tensors.normal(manager, 1, 3, 5);
        NDArray labels = manager.create(new long[2]);
        assertThatThrownBy(() -> new CrossEntropyOperation(device, -1).forward(logits, labels))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(3, 5) and labels (2)");
    }
}
