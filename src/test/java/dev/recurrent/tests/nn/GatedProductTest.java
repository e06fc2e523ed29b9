package dev.recurrent.tests.nn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.GatedProduct;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.GatedProductCase;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The portable form against the definition in float64, values, gradients and types. */
class GatedProductTest {

    private static final Shape SHAPE = new Shape(2, 3, 17);

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager(Device.cpu());
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @ParameterizedTest
    @EnumSource(
            value = Activation.class,
            names = {"SILU", "GELU_TANH"})
    void followsTheDefinition(Activation activation) {
        for (ScalarType gate : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            for (ScalarType x : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
                new GatedProductCase(activation, SHAPE, gate, x).check(manager, array -> array);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void isTheProductWithTheActivation(Activation activation) {
        NDArray gate = Tensors.normal(manager, 1, 4, 6);
        NDArray x = Tensors.normal(manager, 2, 4, 6);
        float[] expected = activation.apply(gate).mul(x).toFloatArray();
        assertThat(GatedProduct.apply(activation, gate, x).toFloatArray()).isEqualTo(expected);
    }
}
