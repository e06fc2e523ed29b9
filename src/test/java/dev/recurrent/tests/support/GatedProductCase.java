package dev.recurrent.tests.support;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.GatedProduct;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/**
 * A gated product of random tensors, forward and backward on a tape, against its definition in
 * float64.
 *
 * @param activation SiLU or GELU
 * @param shape of gate and x
 * @param gate its type
 * @param x its type
 */
public record GatedProductCase(Activation activation, Shape shape, ScalarType gate, ScalarType x) {

    /** A few fp32 roundings, an exponential's among them. */
    private static final double TOLERANCE = 1e-5;

    /** Half a unit in the last of bf16's eight bits, 2⁻⁸. */
    private static final double NARROW_TOLERANCE = 4e-3;

    /** A central difference in double precision: h²·f‴/6 and 1e-16·f/h. */
    private static final double STEP = 1e-5;

    private static final double GELU = Math.sqrt(2 / Math.PI);

    /** Runs it on two tensors, made other tensors of equal values by {@code view}, and compares. */
    public void check(NDManager manager, UnaryOperator<NDArray> view) {
        compare(manager, run(manager, view));
        assertThat(floats(run(manager, view)))
                .as(toString())
                .isDeepEqualTo(floats(run(manager, view)));
    }

    private NDArray draw(NDManager manager, int seed, ScalarType type) {
        return Torch.cast(Tensors.normal(manager, seed, shape.getShape()).mul(2), type);
    }

    /** Returns y, dgate and dx. */
    public NDArray[] run(NDManager manager, UnaryOperator<NDArray> view) {
        NDArray a = view.apply(draw(manager, 1, gate));
        NDArray b = view.apply(draw(manager, 2, x));
        a.setRequiresGradient(true);
        b.setRequiresGradient(true);
        NDArray y = differentiate(manager, () -> GatedProduct.apply(activation, a, b));
        return new NDArray[] {y, a.getGradient(), b.getGradient()};
    }

    private NDArray differentiate(NDManager manager, Supplier<NDArray> product) {
        manager.full(shape, Float.NaN).close(); // what PyTorch hands out next
        return GradientMode.on(
                () -> {
                    try (Tape tape = Tape.open(false)) {
                        NDArray y = product.get();
                        tape.backward(y, draw(manager, 3, gate));
                        return y;
                    }
                });
    }

    private void compare(NDManager manager, NDArray[] results) {
        double[] a = doubles(draw(manager, 1, gate));
        double[] b = doubles(draw(manager, 2, x));
        double[] dy = doubles(draw(manager, 3, gate));
        double[][] expected = new double[3][a.length];
        for (int i = 0; i < a.length; i++) {
            double slope = (f(a[i] + STEP) - f(a[i] - STEP)) / (2 * STEP);
            expected[0][i] = f(a[i]) * b[i];
            expected[1][i] = dy[i] * b[i] * slope;
            expected[2][i] = dy[i] * f(a[i]);
        }
        ScalarType[] types = {gate, gate, x};
        for (int i = 0; i < results.length; i++) {
            assertThat(Torch.typeOf(results[i])).as(toString()).isEqualTo(types[i]);
            NDArray wide = Torch.cast(results[i], ScalarType.FLOAT32);
            NDArray wanted = ScanOracle.tensor(manager, expected[i], shape);
            boolean narrow = types[i] != ScalarType.FLOAT32;
            Tensors.assertClose(
                    this + " " + i, wide, wanted, narrow ? NARROW_TOLERANCE : TOLERANCE);
        }
    }

    private double f(double value) {
        DoubleUnaryOperator function =
                activation == Activation.SILU
                        ? v -> v / (1 + Math.exp(-v))
                        : v -> v / 2 * (1 + Math.tanh(GELU * (v + 0.044715 * v * v * v)));
        return function.applyAsDouble(value);
    }

    private static double[] doubles(NDArray array) {
        return ScanOracle.doubles(Torch.cast(array, ScalarType.FLOAT32));
    }

    private static float[][] floats(NDArray... arrays) {
        float[][] floats = new float[arrays.length][];
        for (int i = 0; i < arrays.length; i++) {
            floats[i] = Torch.cast(arrays[i], ScalarType.FLOAT32).toFloatArray();
        }
        return floats;
    }
}
