package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.LinearRecurrenceOperation;
import dev.recurrent.blocks.rule.LinearRecurrence;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Gradients;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernels against the recurrence in float64 and against the portable form. */
@Tag("cuda")
class LinearRecurrenceOperationTest {

    /**
     * fp32 rounding along paths that decays shorten to some hundreds of steps. It holds for bf16
     * too: what is compared are sums in fp32 of inputs that were rounded before.
     */
    private static final double TOLERANCE = 1e-5;

    private static final int B = 2;

    /** Gone, one, growing in turn, and so small that products leave the normal numbers. */
    private static final float[] EXTREME = {0, 1, -1, 1e-38f, 1e-45f, 0.999999f, 0.5f, 1.1f};

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

    /** Below, at and above a thread's steps, a block's tile and the length that is cut. */
    @ParameterizedTest
    @CsvSource({
        "1, 1",
        "1, 2560",
        "2, 64",
        "7, 3",
        "8, 66",
        "9, 130",
        "16, 31",
        "63, 257",
        "127, 64",
        "128, 65",
        "129, 2",
        "300, 100",
        "1023, 34",
        "1024, 5",
        "4097, 6",
        "4096, 64",
        "20001, 3"
    })
    void followsTheRecurrence(int length, int width) {
        for (boolean continues : new boolean[] {false, true}) {
            Positions plain = Positions.range(manager, B, length, continues ? 5 : 0);
            check(plain, width, ScalarType.FLOAT32, continues);
            check(plain, width, ScalarType.BFLOAT16, continues);
            Positions cut = documents(length);
            check(cut, width, ScalarType.FLOAT32, continues);
            check(cut, width, ScalarType.BFLOAT16, continues);
        }
    }

    /** Documents of some tens of tokens, and padding at the end of the first row. */
    private Positions documents(int length) {
        return CudaCase.documents(manager, B, length, 40);
    }

    /** The rule itself takes the portable form there. */
    @Test
    void aSingleTokenIsAStep() {
        NDArray x = Tensors.normal(manager, 1, B, 1, 70);
        NDArray decay = Aten.sigmoid(Tensors.normal(manager, 2, B, 1, 70));
        NDArray state = Tensors.normal(manager, 3, B, 70);
        NDArray[] step = new LinearRecurrenceOperation(device, null).forward(x, decay, state);
        NDArray expected = decay.squeeze(1).mul(state).add(x.squeeze(1));
        close("h", step[0].squeeze(1), expected);
        assertSame("state", step[1], step[0]);
    }

    @Test
    void aRowOfPaddingKeepsItsState() {
        Positions positions = Positions.of(manager, B, 3, new long[] {-1, -1, -1, 8, 9, -1});
        check(positions, 6, ScalarType.FLOAT32, true);
    }

    @ParameterizedTest
    @EnumSource(
            value = ScalarType.class,
            names = {"FLOAT32", "BFLOAT16"})
    void extremeDecaysAreAsGoodAsAny(ScalarType type) {
        int length = 777;
        int width = 40;
        Random random = new Random(1);
        float[] decays = new float[B * length * width];
        for (int i = 0; i < decays.length; i++) {
            decays[i] = EXTREME[random.nextInt(EXTREME.length)];
        }
        NDArray decay = manager.create(decays, new Shape(B, length, width));
        Positions positions = Positions.range(manager, B, length, 1);
        check(Tensors.normal(manager, 2, B, length, width), decay, positions, type, true);
    }

    private void check(Positions positions, int width, ScalarType type, boolean continues) {
        long length = positions.length();
        NDArray x = Tensors.normal(manager, 1, B, length, width);
        // σ of a normal with mean 3: most decays close to 1, as trained models have them.
        NDArray decay = Aten.sigmoid(Tensors.normal(manager, 2, B, length, width).add(3));
        check(x, decay, positions, type, continues);
    }

    private void check(
            NDArray x, NDArray decay, Positions positions, ScalarType type, boolean continues) {
        Shape shape = x.getShape();
        NDArray input = Torch.cast(x, type);
        NDArray factor = Torch.cast(decay, type);
        NDArray state = continues ? Tensors.normal(manager, 3, B, shape.get(2)) : null;
        ScanOracle.Result expected =
                ScanOracle.recurrence(
                        ScanOracle.doubles(Torch.cast(input, ScalarType.FLOAT32)),
                        ScanOracle.doubles(Torch.cast(factor, ScalarType.FLOAT32)),
                        ScanOracle.doubles(state),
                        positions.array().toLongArray(),
                        B);
        poison(shape);
        LinearRecurrence.Output fused = infer(input, factor, state, positions);
        LinearRecurrence.Output portable = portable(input, factor, state, positions);
        String what = type + " " + shape + (continues ? " continued" : "");
        NDArray real = positions.real().expandDims(2);
        NDArray values = fused.values().mul(real);
        assertThat(fused.values().getDataType()).isEqualTo(DataType.FLOAT32);
        close(what + " h", values, ScanOracle.tensor(manager, expected.values(), shape));
        close(what + " h beside blocks", values, portable.values().mul(real));
        Shape memory = new Shape(B, shape.get(2));
        close(what + " state", fused.state(), ScanOracle.tensor(manager, expected.state(), memory));
        close(what + " state beside blocks", fused.state(), portable.state());
        LinearRecurrence.Output again = infer(input, factor, state, positions);
        assertSame(what, again.values().mul(real), values);
        assertSame(what, again.state(), fused.state());
    }

    private static void close(String what, NDArray actual, NDArray expected) {
        Tensors.assertClose(what, actual, expected, TOLERANCE);
    }

    private static void assertSame(String what, NDArray actual, NDArray expected) {
        assertThat(actual.toFloatArray()).as(what).isEqualTo(expected.toFloatArray());
    }

    /** Leaves NaN in the memory that PyTorch hands out next. */
    private void poison(Shape shape) {
        Aten.contiguous(manager.full(shape, Float.NaN)).close();
        manager.full(shape, Float.NaN).close();
        manager.full(new Shape(B, shape.get(2)), Float.NaN).close();
    }

    private static LinearRecurrence.Output infer(
            NDArray x, NDArray decay, NDArray state, Positions positions) {
        return GradientMode.off(() -> LinearRecurrence.apply(x, decay, state, positions));
    }

    private static LinearRecurrence.Output portable(
            NDArray x, NDArray decay, NDArray state, Positions positions) {
        return Kernels.without(() -> infer(x, decay, state, positions));
    }

    @Test
    void theRuleTakesTheKernelWhereNothingIsRecorded() {
        NDArray x = Tensors.normal(manager, 1, B, 100, 10);
        NDArray decay = Aten.sigmoid(Tensors.normal(manager, 2, B, 100, 10));
        Positions positions = Positions.range(manager, B, 100, 0);
        float[] kernel =
                new LinearRecurrenceOperation(device, null)
                        .forward(x, decay, null)[0].toFloatArray();
        float[] blocks = portable(x, decay, null, positions).values().toFloatArray();
        // Rounded in another order, so the bits tell which form ran.
        assertThat(kernel).isNotEqualTo(blocks);
        assertThat(infer(x, decay, null, positions).values().toFloatArray()).isEqualTo(kernel);
        GradientMode.on(
                () -> {
                    NDArray constant = LinearRecurrence.apply(x, decay, null, positions).values();
                    assertThat(constant.toFloatArray()).isEqualTo(kernel);
                    x.setRequiresGradient(true);
                    NDArray recorded = LinearRecurrence.apply(x, decay, null, positions).values();
                    assertThat(recorded.toFloatArray()).isEqualTo(blocks);
                    assertThat(Torch.isDifferentiable(recorded)).isTrue();
                    return null;
                });
    }

    /** As {@link #followsTheRecurrence}, by autograd alone and on a tape, which takes kernels. */
    @ParameterizedTest
    @CsvSource({
        "2, 64",
        "7, 3",
        "9, 66",
        "64, 31",
        "129, 2",
        "150, 130",
        "1023, 34",
        "4097, 6",
        "20001, 4"
    })
    void gradientsAreThoseOfTheRecurrence(int length, int width) {
        for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            checkGradients(documents(length), width, type, true);
            checkGradients(Positions.range(manager, B, length, 3), width, type, true);
            checkGradients(Positions.range(manager, B, length, 0), width, type, true);
        }
        checkGradients(documents(length), width, ScalarType.FLOAT32, false);
    }

    private void checkGradients(Positions positions, int width, ScalarType type, boolean taped) {
        long length = positions.length();
        NDArray[] inputs = {
            Torch.cast(Tensors.normal(manager, 1, B, length, width), type),
            Torch.cast(Aten.sigmoid(Tensors.normal(manager, 2, B, length, width)), type),
            Tensors.normal(manager, 3, B, width)
        };
        NDArray[] weights = {
            Tensors.normal(manager, 4, B, length, width).mul(positions.real().expandDims(2)),
            Tensors.normal(manager, 5, B, width)
        };
        double[][] expected =
                ScanOracle.recurrenceGradients(
                        ScanOracle.doubles(Torch.cast(inputs[0], ScalarType.FLOAT32)),
                        ScanOracle.doubles(Torch.cast(inputs[1], ScalarType.FLOAT32)),
                        ScanOracle.doubles(inputs[2]),
                        positions.array().toLongArray(),
                        B,
                        ScanOracle.doubles(weights[0]),
                        ScanOracle.doubles(weights[1]));
        UnaryOperator<NDArray[]> rule =
                arrays -> {
                    LinearRecurrence.Output output =
                            LinearRecurrence.apply(arrays[0], arrays[1], arrays[2], positions);
                    return new NDArray[] {output.values(), output.state()};
                };
        poison(inputs[0].getShape());
        Gradients actual =
                taped
                        ? Gradients.taped(rule, weights, inputs)
                        : Gradients.recorded(rule, weights, inputs);
        // Gradients of bf16 inputs are rounded to bf16.
        double tolerance = type == ScalarType.FLOAT32 ? TOLERANCE : 4e-3;
        for (int i = 0; i < inputs.length; i++) {
            if (i == 2 && positions.startsFresh()) {
                assertThat(actual.inputs()[i]).isNull();
                continue;
            }
            NDArray wanted = ScanOracle.tensor(manager, expected[i], inputs[i].getShape());
            Tensors.assertClose("gradient " + i, actual.inputs()[i], wanted, tolerance);
        }
    }

    /** Every other row of a wider tensor, and one that does not lie at an even address. */
    @Test
    void viewsAreReadWhereTheyLie() {
        NDArray wide = Tensors.normal(manager, 1, B, 41, 13);
        NDArray decay = Aten.sigmoid(wide);
        Positions positions = Positions.range(manager, B, 41, 0);
        NDArray x = Aten.narrow(wide, 2, 1, 12);
        NDArray factor = Aten.narrow(decay, 2, 1, 12);
        LinearRecurrence.Output expected =
                portable(x.duplicate(), factor.duplicate(), null, positions);
        close("narrowed", infer(x, factor, null, positions).values(), expected.values());
        NDArray flat = Tensors.normal(manager, 2, 1 + B * 40 * 6);
        NDArray odd = Aten.narrow(flat, 0, 1, B * 40 * 6).reshape(B, 40, 6);
        assertThat(TensorMemory.address(odd) % 8).isEqualTo(4);
        Positions fewer = Positions.range(manager, B, 40, 0);
        close(
                "odd",
                infer(odd, odd, null, fewer).values(),
                portable(odd, odd, null, fewer).values());
    }

    @Test
    void threadsDoNotDisturbEachOther() throws Exception {
        NDArray x = Tensors.normal(manager, 1, B, 2000, 96);
        NDArray decay = Aten.sigmoid(x);
        Positions positions = Positions.range(manager, B, 2000, 0);
        float[] expected = infer(x, decay, null, positions).values().toFloatArray();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            List<Future<float[]>> results = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                results.add(
                        threads.submit(
                                () -> infer(x, decay, null, positions).values().toFloatArray()));
            }
            for (Future<float[]> result : results) {
                assertThat(result.get()).isEqualTo(expected);
            }
        } finally {
            threads.shutdown();
        }
    }

    @Test
    void leavesOnlyItsResultsBehind() {
        NDArray x = Tensors.normal(manager, 1, 1, 5000, 6);
        NDArray state = Tensors.normal(manager, 2, 1, 6);
        Positions positions = documentsOfOneRow(5000);
        positions.array();
        int before = manager.getManagedArrays().size();
        infer(x, x, state, positions);
        assertThat(manager.getManagedArrays()).hasSize(before + 2);
    }

    private Positions documentsOfOneRow(int length) {
        long[] positions = new long[length];
        for (int t = 0; t < length; t++) {
            positions[t] = t % 50 + (t < 50 ? 50 : 0);
        }
        return Positions.of(manager, 1, length, positions);
    }
}
