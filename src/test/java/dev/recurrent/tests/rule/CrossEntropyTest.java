package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.recurrent.blocks.rule.CrossEntropy;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.CrossEntropyCase;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The portable form against the definition in float64. */
class CrossEntropyTest {

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
            value = ScalarType.class,
            names = {"FLOAT32", "BFLOAT16"})
    void followsTheDefinition(ScalarType type) {
        new CrossEntropyCase(1, 1, type, 0).check(manager);
        new CrossEntropyCase(7, 301, type, 3).check(manager);
    }

    @Test
    void lossesAloneAreTheSame() {
        NDArray logits = Tensors.normal(manager, 1, 3, 5);
        NDArray labels = manager.create(new long[] {4, -1, 0});
        assertThat(CrossEntropy.losses(logits, labels, -1).toFloatArray())
                .isEqualTo(CrossEntropy.apply(logits, labels, -1).losses().toFloatArray());
    }

    @Test
    void refusesShapesThatDoNotFit() {
        NDArray logits = Tensors.normal(manager, 1, 3, 5);
        NDArray fewer = manager.create(new long[2]);
        assertThatThrownBy(() -> CrossEntropy.apply(logits, fewer, -1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(3, 5) need int64 labels, one a row, not INT64(2)");
        NDArray narrow = manager.create(new int[3]).toType(DataType.INT32, false);
        assertThatThrownBy(() -> CrossEntropy.losses(logits, narrow, -1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("INT32");
    }
}
