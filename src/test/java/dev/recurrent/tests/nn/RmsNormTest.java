package dev.recurrent.tests.nn;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.NormCase;
import dev.recurrent.tests.support.NormOracle;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The portable forms against the definition in float64, values, gradients and types. */
class RmsNormTest {

    private static final double EPSILON = 1e-6;

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
    @EnumSource
    void followsTheDefinition(NormOracle.Form form) {
        for (boolean centred : new boolean[] {false, true}) {
            check(form, 1, centred, new Shape(2, 3, 33), ScalarType.FLOAT32, MatrixPrecision.FULL);
            check(form, 3, centred, new Shape(5, 12), ScalarType.FLOAT32, MatrixPrecision.FULL);
        }
    }

    @ParameterizedTest
    @EnumSource
    void underMixedPrecisionTheStreamStaysAndTheNormIsNarrow(NormOracle.Form form) {
        for (ScalarType other : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            check(form, 1, true, new Shape(3, 40), other, MatrixPrecision.BFLOAT16);
        }
        check(form, 2, false, new Shape(3, 40), ScalarType.FLOAT16, MatrixPrecision.FLOAT16);
    }

    private void check(
            NormOracle.Form form,
            int parts,
            boolean centred,
            Shape shape,
            ScalarType other,
            MatrixPrecision precision) {
        NormOracle.Norm norm = new NormOracle.Norm(form, parts, centred, EPSILON);
        new NormCase(norm, shape, ScalarType.FLOAT32, other, precision).check(manager);
    }
}
