package dev.recurrent.tests.support;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.blocks.nn.RmsNorm;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.NormOracle.Form;
import dev.recurrent.tests.support.NormOracle.Norm;
import java.util.function.UnaryOperator;

/**
 * A norm on random tensors, forward and backward on a tape, against {@link NormOracle}.
 *
 * @param norm which
 * @param shape of x
 * @param x its type
 * @param other the gate's or the update's
 * @param precision in which the norm runs
 */
public record NormCase(
        Norm norm, Shape shape, ScalarType x, ScalarType other, MatrixPrecision precision) {

    /** Rounding of sums of some thousand products in fp32, far below it in truth. */
    private static final double TOLERANCE = 1e-5;

    /** Half a unit in the last of bf16's eight bits, 2⁻⁸. */
    private static final double NARROW_TOLERANCE = 4e-3;

    /** Results in the order of {@link #run}: sum, y, dx, dw, dother; null where there is none. */
    private static final String[] NAMES = {"sum", "y", "dx", "dw", "dother"};

    /** Runs the norm and compares everything; twice, for equal bits. */
    public void check(NDManager manager) {
        check(manager, gate -> gate);
    }

    /**
     * As {@link #check(NDManager)}.
     *
     * @param view makes the gate or update another tensor of equal values
     */
    public void check(NDManager manager, UnaryOperator<NDArray> view) {
        NDArray[] results = run(manager, view);
        NDArray[] expected = expected(manager, results[0]);
        for (int i = 0; i < results.length; i++) {
            if (expected[i] != null) {
                String what = this + " " + NAMES[i];
                NDArray wide = Torch.cast(results[i], ScalarType.FLOAT32);
                Tensors.assertClose(what, wide, expected[i], tolerance(results[i]));
            }
        }
        NDArray[] again = run(manager, view);
        for (int i = 0; i < results.length; i++) {
            if (results[i] != null) {
                assertThat(floats(again[i]))
                        .as("%s %s", this, NAMES[i])
                        .isEqualTo(floats(results[i]));
            }
        }
    }

    private static double tolerance(NDArray array) {
        return Torch.typeOf(array) == ScalarType.FLOAT32 ? TOLERANCE : NARROW_TOLERANCE;
    }

    private static float[] floats(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32).toFloatArray();
    }

    private NDArray draw(NDManager manager, int seed, double scale, ScalarType type) {
        return Torch.cast(Tensors.normal(manager, seed, shape.getShape()).mul(scale), type);
    }

    private NDArray input(NDManager manager) {
        return draw(manager, 1, 3, x);
    }

    private NDArray other(NDManager manager) {
        return norm.form() == Form.PLAIN ? null : draw(manager, 2, 2, other);
    }

    private NDArray weight(NDManager manager) {
        return Tensors.normal(manager, 3, shape.get(shape.dimension() - 1));
    }

    private NDArray gradientOfSum(NDManager manager) {
        return norm.form() == Form.ADD_THEN_NORM ? draw(manager, 4, 1, x) : null;
    }

    private ScalarType result() {
        return precision == MatrixPrecision.BFLOAT16 ? ScalarType.BFLOAT16 : x;
    }

    /** Returns the sum or null, y, dx, dw, dother or null. */
    public NDArray[] run(NDManager manager, UnaryOperator<NDArray> view) {
        return GradientMode.on(() -> precision.during(() -> runRecorded(manager, view)));
    }

    private NDArray[] runRecorded(NDManager manager, UnaryOperator<NDArray> view) {
        long size = shape.get(shape.dimension() - 1);
        RmsNorm block =
                new RmsNorm(size, norm.parts(), new NormConfig(norm.epsilon(), norm.centred()));
        block.initialize(manager, DataType.FLOAT32);
        Parameter parameter = block.getParameters().get(0).getValue();
        parameter.getArray().set(weight(manager).toFloatArray());
        parameter.getArray().setRequiresGradient(true);
        NDArray input = input(manager);
        NDArray second = other(manager);
        input.setRequiresGradient(true);
        NDArray seen = second == null ? null : view.apply(second);
        if (seen != null) {
            seen.setRequiresGradient(true);
        }
        manager.full(shape, Float.NaN).close(); // what PyTorch hands out next
        ParameterStore store = new ParameterStore(manager, false);
        try (Tape tape = Tape.open(false)) {
            NDArray sum = null;
            NDArray y;
            switch (norm.form()) {
                case PLAIN -> y = block.forward(store, input, true);
                case NORM_THEN_GATE -> y = block.forwardThenGate(store, input, seen, true).value();
                case GATE_THEN_NORM -> y = block.gateThenForward(store, input, seen, true).value();
                default -> {
                    RmsNorm.Sum added = block.addThenForward(store, input, seen, true);
                    sum = added.values();
                    y = added.normed();
                }
            }
            assertThat(Torch.typeOf(y)).as(toString()).isEqualTo(result());
            NDArray dy = draw(manager, 5, 1, result());
            NDArray target = Torch.cast(y.mul(dy), ScalarType.FLOAT32).sum();
            if (sum != null) {
                assertThat(Torch.typeOf(sum)).as(toString()).isEqualTo(x);
                NDArray product = sum.mul(gradientOfSum(manager));
                target = target.add(Torch.cast(product, ScalarType.FLOAT32).sum());
            }
            tape.backward(target, target.onesLike());
            return new NDArray[] {
                sum,
                y,
                input.getGradient(),
                parameter.getArray().getGradient(),
                seen == null ? null : seen.getGradient()
            };
        }
    }

    private NDArray[] expected(NDManager manager, NDArray sum) {
        NDArray stream = input(manager);
        NDArray second = other(manager);
        boolean adds = norm.form() == Form.ADD_THEN_NORM;
        NDArray rounded = adds ? Torch.cast(stream.add(second), x) : null;
        NDArray ds = gradientOfSum(manager);
        NormOracle.Result result =
                NormOracle.of(
                        norm,
                        doubles(adds ? sum : stream),
                        doubles(weight(manager)),
                        second == null || adds ? null : doubles(second),
                        doubles(draw(manager, 5, 1, result())),
                        ds == null ? null : doubles(ds));
        return new NDArray[] {
            adds ? Torch.cast(rounded, ScalarType.FLOAT32) : null,
            ScanOracle.tensor(manager, result.y(), shape),
            ScanOracle.tensor(manager, result.dx(), shape),
            ScanOracle.tensor(manager, result.dw(), shape.slice(shape.dimension() - 1)),
            second == null ? null : ScanOracle.tensor(manager, result.dother(), shape)
        };
    }

    private static double[] doubles(NDArray array) {
        return ScanOracle.doubles(Torch.cast(array, ScalarType.FLOAT32));
    }
}
