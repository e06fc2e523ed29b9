package dev.recurrent.tests.support;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Random;

/** Random tensors and their comparison. */
public final class Tensors {

    private Tensors() {}

    /** Standard normal values that depend on the seed alone. */
    public static NDArray normal(NDManager manager, long seed, long... shape) {
        Shape wanted = new Shape(shape);
        Random random = new Random(seed);
        float[] values = new float[Math.toIntExact(wanted.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return manager.create(values, wanted);
    }

    /** Returns max|actual − expected| / max|expected|; infinite for a NaN or another shape. */
    public static double relativeError(NDArray actual, NDArray expected) {
        if (!actual.getShape().equals(expected.getShape())) {
            return Double.POSITIVE_INFINITY;
        }
        double difference =
                actual.sub(expected).abs().max().toType(DataType.FLOAT64, false).getDouble();
        double scale = expected.abs().max().toType(DataType.FLOAT64, false).getDouble();
        double error = difference == 0 ? 0 : difference / scale;
        return Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
    }

    /** Asserts that the relative error is at most {@code tolerance}. */
    public static void assertClose(
            String what, NDArray actual, NDArray expected, double tolerance) {
        assertThat(actual.getShape()).as(what).isEqualTo(expected.getShape());
        assertThat(relativeError(actual, expected)).as(what).isLessThanOrEqualTo(tolerance);
    }
}
