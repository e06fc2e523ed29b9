package dev.recurrent.tests.support;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.rule.CrossEntropy;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Random;

/**
 * The cross-entropy of random logits, forward and backward on a tape, against its definition in
 * float64. A third of the rows are ignored.
 *
 * @param rows N
 * @param vocabulary V
 * @param type of the logits
 * @param skipped elements before the first logit, which move rows away from aligned addresses
 */
public record CrossEntropyCase(int rows, int vocabulary, ScalarType type, int skipped) {

    private static final long IGNORED = -7;

    /** A few fp32 roundings of numbers below 32. */
    private static final double TOLERANCE = 2e-6;

    /** Gradients are exponentials of differences that were rounded in fp32. */
    private static final double GRADIENT_TOLERANCE = 1e-5;

    /** Half a unit in the last of bf16's eight bits, 2⁻⁸. */
    private static final double NARROW_TOLERANCE = 4e-3;

    /** Runs it and compares everything; twice, for equal bits. */
    public void check(NDManager manager) {
        NDArray[] results = run(manager);
        double[][] expected = expected(manager);
        Shape perRow = new Shape(rows);
        close("losses", results[0], ScanOracle.tensor(manager, expected[0], perRow), TOLERANCE);
        close("lse", results[1], ScanOracle.tensor(manager, expected[1], perRow), TOLERANCE);
        assertThat(Torch.typeOf(results[2])).isEqualTo(type);
        close(
                "dlogits",
                wide(results[2]),
                ScanOracle.tensor(manager, expected[2], new Shape(rows, vocabulary)),
                type == ScalarType.FLOAT32 ? GRADIENT_TOLERANCE : NARROW_TOLERANCE);
        NDArray[] again = run(manager);
        for (int i = 0; i < results.length; i++) {
            assertThat(wide(again[i]).toFloatArray())
                    .as("%s %d", this, i)
                    .isEqualTo(wide(results[i]).toFloatArray());
        }
    }

    private void close(String what, NDArray actual, NDArray expected, double tolerance) {
        if (expected.abs().max().getFloat() == 0) {
            assertThat(actual.abs().max().getFloat()).as(this + " " + what).isZero();
        } else {
            Tensors.assertClose(this + " " + what, actual, expected, tolerance);
        }
    }

    private static NDArray wide(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32);
    }

    private NDArray logits(NDManager manager) {
        NDArray values = Tensors.normal(manager, 1, skipped + (long) rows * vocabulary).mul(4);
        return Aten.narrow(Torch.cast(values, type), 0, skipped, (long) rows * vocabulary)
                .reshape(rows, vocabulary);
    }

    private long[] labels() {
        Random random = new Random(2);
        long[] labels = random.ints(rows, 0, vocabulary).asLongStream().toArray();
        for (int i = 1; i < rows; i += 3) {
            labels[i] = IGNORED;
        }
        return labels;
    }

    /** Returns losses, normalisers and the gradient of the logits. */
    public NDArray[] run(NDManager manager) {
        NDArray logits = logits(manager);
        logits.setRequiresGradient(true);
        NDArray labels = manager.create(labels());
        manager.full(logits.getShape(), Float.NaN).close(); // what PyTorch hands out next
        return GradientMode.on(
                () -> {
                    try (Tape tape = Tape.open(false)) {
                        CrossEntropy.Output output = CrossEntropy.apply(logits, labels, IGNORED);
                        assertThat(output.losses().getDataType()).isEqualTo(DataType.FLOAT32);
                        NDArray target =
                                output.losses()
                                        .mul(Tensors.normal(manager, 3, rows))
                                        .add(
                                                output.logSumExp()
                                                        .mul(Tensors.normal(manager, 4, rows)));
                        tape.backward(target, target.onesLike());
                        return new NDArray[] {
                            output.losses(), output.logSumExp(), logits.getGradient()
                        };
                    }
                });
    }

    private double[][] expected(NDManager manager) {
        double[] logits = ScanOracle.doubles(wide(logits(manager)).duplicate());
        double[] dloss = ScanOracle.doubles(Tensors.normal(manager, 3, rows));
        double[] dlse = ScanOracle.doubles(Tensors.normal(manager, 4, rows));
        long[] labels = labels();
        double[][] result = {new double[rows], new double[rows], new double[logits.length]};
        for (int row = 0; row < rows; row++) {
            if (labels[row] == IGNORED) {
                continue;
            }
            int begin = row * vocabulary;
            int label = begin + (int) labels[row];
            double sum = 0;
            for (int i = begin; i < begin + vocabulary; i++) {
                sum += Math.exp(logits[i]); // normals times four do not overflow
            }
            result[1][row] = Math.log(sum);
            result[0][row] = result[1][row] - logits[label];
            for (int i = begin; i < begin + vocabulary; i++) {
                result[2][i] = Math.exp(logits[i]) / sum * (dloss[row] + dlse[row]);
            }
            result[2][label] -= dloss[row];
        }
        return result;
    }
}
