package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Gradients;
import dev.recurrent.tests.support.Tensors;
import java.util.Random;
import java.util.function.UnaryOperator;

/**
 * A rule on a device, on a tape and by the portable form in float32 with PyTorch's autograd. Inputs
 * are rounded to the type first, so that only arithmetic differs.
 */
final class CudaCase implements AutoCloseable {

    final NDManager manager;

    /** Skips the test where there is no device. */
    CudaCase() {
        needDevice();
        manager = NDManager.newBaseManager(Device.gpu());
        assertThat(Kernels.on(Device.gpu())).isPresent();
    }

    /** Skips the test where there is no device. */
    static void needDevice() {
        assumeTrue(Engine.getEngine("PyTorch").getGpuCount() > 0, "PyTorch sees no GPU");
    }

    /** Standard normal values of a type. */
    NDArray normal(ScalarType type, long seed, long... shape) {
        return Torch.cast(Tensors.normal(manager, seed, shape), type);
    }

    /** Plain rows that start at 0 or at 5, or documents of some ten tokens and padding. */
    Positions positions(int batch, int length, String kind) {
        switch (kind) {
            case "fresh":
                return Positions.range(manager, batch, length, 0);
            case "continued":
                return Positions.range(manager, batch, length, 5);
            case "documents":
                return documents(manager, batch, length, 13);
            default:
                throw new IllegalArgumentException(kind);
        }
    }

    /**
     * Documents in rows. The first row ends in padding, and the third is padding alone.
     *
     * @param mean how many tokens a document has on average
     */
    static Positions documents(NDManager manager, int batch, int length, int mean) {
        Random random = new Random(length);
        long[] positions = new long[batch * length];
        for (int row = 0; row < batch; row++) {
            int real = row == 0 ? length - length / 3 : row == 2 ? 0 : length;
            long position = 7L * row;
            for (int t = 0; t < length; t++) {
                position = random.nextInt(mean) == 0 ? 0 : position;
                positions[row * length + t] = t < real ? position++ : Positions.PADDING;
            }
        }
        return Positions.of(manager, batch, length, positions);
    }

    /** Leaves NaN in the memory that PyTorch hands out next. */
    void poison(long... sizes) {
        for (int again = 0; again < 3; again++) {
            for (long size : sizes) {
                manager.full(new Shape(size), Float.NaN).close();
            }
        }
    }

    /**
     * Compares outputs and all gradients, and that they repeat to the bit.
     *
     * @param what for messages
     * @param function of the inputs
     * @param weights of the outputs in the loss, float32, zero where an output is unspecified
     * @param tolerance of differences relative to the largest value
     * @param inputs null for none
     */
    void check(
            String what,
            UnaryOperator<NDArray[]> function,
            NDArray[] weights,
            double tolerance,
            NDArray... inputs) {
        NDArray[] wide = new NDArray[inputs.length];
        for (int i = 0; i < inputs.length; i++) {
            wide[i] = inputs[i] == null ? null : Torch.cast(inputs[i], ScalarType.FLOAT32);
        }
        Gradients expected = Kernels.without(() -> Gradients.recorded(function, weights, wide));
        poison(inputs[0].size(), inputs[0].size() / 2, 64);
        Gradients actual = Gradients.taped(function, weights, inputs);
        Gradients again = Gradients.taped(function, weights, inputs);
        for (int i = 0; i < weights.length; i++) {
            if (weights[i] != null && weights[i].size() > 0) {
                NDArray seen = weights[i].neq(0);
                String name = what + " output " + i;
                Tensors.assertClose(
                        name,
                        masked(actual.outputs()[i], seen),
                        masked(expected.outputs()[i], seen),
                        tolerance);
            }
        }
        for (int i = 0; i < inputs.length; i++) {
            NDArray wanted = expected.inputs()[i];
            if (wanted != null && wanted.size() > 0) {
                NDArray got = actual.inputs()[i];
                String name = what + " gradient " + i;
                if (got == null) {
                    assertThat(wanted.abs().max().getFloat()).as(name).isZero();
                } else {
                    Tensors.assertClose(name, got, wanted, tolerance);
                    assertThat(again.inputs()[i].toFloatArray())
                            .as(name)
                            .isEqualTo(got.toFloatArray());
                }
            }
        }
    }

    /** The values that are looked at: others may be no numbers. */
    private NDArray masked(NDArray values, NDArray seen) {
        // where.self(Tensor condition, Tensor self, Tensor other)
        return Torch.call(manager, "aten::where.self", seen, values, values.zerosLike());
    }

    @Override
    public void close() {
        manager.close();
    }
}
