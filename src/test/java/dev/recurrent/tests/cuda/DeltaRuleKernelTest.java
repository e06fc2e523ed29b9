package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.DeltaRuleKernel;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.DeltaOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernels against the recurrence in float64 and against the portable form. */
@Tag("cuda")
class DeltaRuleKernelTest {

    /** Some hundred fp32 roundings, and products whose operands keep 22 bits. */
    private static final double WIDE = 1e-5;

    /**
     * Inputs are the same in both, but states, corrections and outputs are rounded to 8 bits where
     * they are operands: 2⁻⁹ each, some of them in a row.
     */
    private static final double NARROW = 1e-2;

    private static final int B = 2;

    /** Gone, almost kept, and far beyond what exp can tell from zero. */
    private static final float[] EXTREME = {0, -50, -1e4f, -.01f, -1e-6f, -2};

    /** Which of the rules. */
    private enum Rule {
        DELTA(true, false),
        GATED(true, true),
        DUALITY(false, true),
        LINEAR(false, false);

        private final boolean corrects;
        private final boolean decays;

        Rule(boolean corrects, boolean decays) {
            this.corrects = corrects;
            this.decays = decays;
        }
    }

    /** Arguments of the rule. */
    private record Given(
            NDArray q, NDArray k, NDArray v, NDArray beta, NDArray logDecay, NDArray state) {

        Given as(ScalarType type) {
            return new Given(
                    Torch.cast(q, type),
                    Torch.cast(k, type),
                    Torch.cast(v, type),
                    beta == null ? null : Torch.cast(beta, type),
                    logDecay,
                    state);
        }

        Given withDecay(NDArray other) {
            return new Given(q, k, v, beta, other, state);
        }

        double scale() {
            return 1 / Math.sqrt(q.getShape().get(3));
        }

        DeltaRule.Output run(Positions positions) {
            return GradientMode.off(
                    () -> DeltaRule.apply(q, k, v, beta, logDecay, scale(), state, positions));
        }

        DeltaOracle.Output expected(Positions positions) {
            Given wide = as(ScalarType.FLOAT32);
            return DeltaOracle.apply(
                    wide.q,
                    wide.k,
                    wide.v,
                    wide.beta,
                    wide.logDecay,
                    scale(),
                    state,
                    positions.array().toLongArray());
        }
    }

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

    /** Keys of norm one, where the rule stays bounded. */
    private Given random(Rule rule, int t, int h, int hv, int k, int v) {
        NDArray keys = Tensors.normal(manager, 2, B, t, h, k);
        keys = keys.div(keys.mul(keys).sum(new int[] {3}, true).sqrt());
        NDArray beta = Aten.sigmoid(Tensors.normal(manager, 4, B, t, hv));
        NDArray gates = Tensors.normal(manager, 5, B, t, hv).abs().mul(Scalars.of(-.2));
        return new Given(
                Tensors.normal(manager, 1, B, t, h, k),
                keys,
                Tensors.normal(manager, 3, B, t, hv, v),
                rule.corrects ? beta : null,
                rule.decays ? gates : null,
                Tensors.normal(manager, 6, B, hv, k, v));
    }

    /** Below, at and above a chunk; sizes of heads that fill tiles, and that do not. */
    @ParameterizedTest
    @CsvSource({
        "2, 1, 1, 16, 16",
        "31, 1, 2, 16, 32",
        "32, 2, 2, 64, 64",
        "33, 2, 4, 48, 80",
        "64, 1, 1, 8, 24",
        "65, 3, 3, 5, 7",
        "100, 1, 1, 1, 1",
        "200, 2, 2, 128, 128",
        "150, 1, 2, 100, 36",
        "90, 1, 1, 256, 512",
        "70, 1, 1, 192, 384",
        "130, 1, 1, 250, 130"
    })
    void followsTheRecurrence(int t, int h, int hv, int k, int v) {
        for (Rule rule : Rule.values()) {
            Given given = random(rule, t, h, hv, k, v);
            Positions plain = Positions.range(manager, B, t, 3);
            check(rule + " plain", given, plain);
            check(rule + " documents", given, documents(t));
            check(rule + " fresh", given, Positions.range(manager, B, t, 0));
        }
    }

    /** Documents of some tens of tokens, and padding at the end of the first row. */
    private Positions documents(int length) {
        return CudaCase.documents(manager, B, length, 40);
    }

    private void check(String what, Given given, Positions positions) {
        check(what + " fp32", given, positions, WIDE);
        check(what + " bf16", given.as(ScalarType.BFLOAT16), positions, NARROW);
    }

    private void check(String what, Given given, Positions positions, double tolerance) {
        String name = what + " " + given.k.getShape() + given.v.getShape();
        NDArray real = positions.real().expandDims(2).expandDims(3);
        DeltaOracle.Output expected =
                positions.startsFresh()
                        ? withoutState(given).expected(positions)
                        : given.expected(positions);
        poison(given);
        DeltaRule.Output actual = given.run(positions);
        DeltaRule.Output portable = Kernels.without(() -> given.run(positions));
        assertThat(Torch.typeOf(actual.values())).isEqualTo(Torch.typeOf(given.v));
        NDArray values = wide(actual.values()).mul(real);
        Tensors.assertClose(name + " o", values, expected.values().mul(real), tolerance);
        Tensors.assertClose(name + " state", actual.state(), expected.state(), tolerance);
        Tensors.assertClose(
                name + " o beside blocks", values, wide(portable.values()).mul(real), tolerance);
        DeltaRule.Output again = given.run(positions);
        assertSame(name, wide(again.values()).mul(real), values);
        assertSame(name, again.state(), actual.state());
    }

    private static Given withoutState(Given given) {
        return new Given(given.q, given.k, given.v, given.beta, given.logDecay, null);
    }

    private static NDArray wide(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32);
    }

    private static void assertSame(String what, NDArray actual, NDArray expected) {
        assertThat(actual.toFloatArray()).as(what).isEqualTo(expected.toFloatArray());
    }

    /** Leaves NaN in the memory that PyTorch hands out next. */
    private void poison(Given given) {
        manager.full(given.v.getShape(), Float.NaN).close();
        manager.full(given.state.getShape(), Float.NaN).close();
        long t = given.k.getShape().get(1);
        for (long size : new long[] {32 * 32, 3 * 32}) {
            manager.full(new Shape(B * (t + 31) / 32 * size), Float.NaN).close();
        }
    }

    /** Sums far below what exp takes, beside gates of almost one. */
    @ParameterizedTest
    @EnumSource(
            value = Rule.class,
            names = {"GATED", "DUALITY"})
    void extremeDecaysAreAsGoodAsAny(Rule rule) {
        int t = 300;
        Random random = new Random(1);
        float[] gates = new float[B * t * 2];
        for (int i = 0; i < gates.length; i++) {
            gates[i] = EXTREME[random.nextInt(EXTREME.length)];
        }
        NDArray mixed = manager.create(gates, new Shape(B, t, 2));
        Positions positions = Positions.range(manager, B, t, 1);
        Given given = random(rule, t, 2, 2, 32, 48).withDecay(mixed);
        for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            Given typed = given.as(type);
            DeltaOracle.Output expected = typed.expected(positions);
            DeltaRule.Output actual = typed.run(positions);
            double tolerance = type == ScalarType.FLOAT32 ? WIDE : NARROW;
            Tensors.assertClose("o", wide(actual.values()), expected.values(), tolerance);
            Tensors.assertClose("state", actual.state(), expected.state(), tolerance);
        }
    }

    @Test
    void aForgottenStateIsZeroNotNan() {
        int t = 100;
        NDArray gone = manager.full(new Shape(B, t, 1), -1e4f);
        Given given = random(Rule.GATED, t, 1, 1, 16, 16).withDecay(gone);
        DeltaRule.Output output = given.run(Positions.range(manager, B, t, 1));
        assertThat(output.values().isNaN().any().getBoolean()).isFalse();
        assertThat(output.state().isNaN().any().getBoolean()).isFalse();
    }

    /** q, k and v as parts of one projection, with rows that copies can and cannot take at once. */
    @ParameterizedTest
    @CsvSource({"64, 0", "64, 8", "64, 1", "20, 3"})
    void viewsAreReadWhereTheyLie(int n, int offset) {
        int h = 2;
        int t = 70;
        Positions positions = Positions.range(manager, B, t, 0);
        NDArray wide = Tensors.normal(manager, 1, B, t, 3 * h * n + 16).mul(Scalars.of(.1));
        NDArray beta = Aten.sigmoid(Tensors.normal(manager, 2, B, t, h));
        for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            NDArray all = Torch.cast(wide, type);
            NDArray[] views = new NDArray[3];
            for (int i = 0; i < 3; i++) {
                NDArray part = Aten.narrow(all, 2, offset + (long) i * h * n, (long) h * n);
                views[i] = part.reshape(B, t, h, n);
            }
            Given given = new Given(views[0], views[1], views[2], beta, null, null);
            Given copies =
                    new Given(
                            views[0].duplicate(),
                            views[1].duplicate(),
                            views[2].duplicate(),
                            beta,
                            null,
                            null);
            assertSame(
                    type + " views",
                    wide(given.run(positions).values()),
                    wide(copies.run(positions).values()));
        }
    }

    @Test
    void theRuleTakesTheKernelsWhereNothingIsRecorded() {
        Given given = withoutState(random(Rule.GATED, 100, 2, 2, 32, 32));
        Positions positions = Positions.range(manager, B, 100, 0);
        float[] kernel =
                DeltaRuleKernel.apply(
                                device,
                                given.q,
                                given.k,
                                given.v,
                                given.beta,
                                given.logDecay,
                                given.scale(),
                                null,
                                null)
                        .values()
                        .toFloatArray();
        // Rounded in another order, so the bits tell which form ran.
        float[] blocks = Kernels.without(() -> given.run(positions)).values().toFloatArray();
        assertThat(kernel).isNotEqualTo(blocks);
        assertThat(given.run(positions).values().toFloatArray()).isEqualTo(kernel);
    }

    @Test
    void keysThatAreTooWideTakeThePortableForm() {
        Given given = random(Rule.GATED, 40, 1, 1, 272, 16);
        assertThat(DeltaRuleKernel.fits(device, given.q, given.k, given.v)).isFalse();
        check("wide keys", given, Positions.range(manager, B, 40, 1));
    }

    @Test
    void leavesOnlyItsResultsBehind() {
        Given given = random(Rule.GATED, 100, 1, 1, 16, 16).as(ScalarType.BFLOAT16);
        Positions positions = documents(100);
        positions.array();
        int before = manager.getManagedArrays().size();
        given.run(positions);
        assertThat(manager.getManagedArrays()).hasSize(before + 2);
    }
}
