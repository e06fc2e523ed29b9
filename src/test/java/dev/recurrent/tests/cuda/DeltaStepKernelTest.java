package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.DeltaStepKernel.Gates;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.DeltaStep;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernel against the portable step, which the CPU tests hold to the definition in float64. */
@Tag("cuda")
class DeltaStepKernelTest {

    private static final double TOLERANCE = 1e-5;

    /** Half a unit in the last of bf16's eight bits: what outputs are rounded to. */
    private static final double BFLOAT16_TOLERANCE = 4e-3;

    private NDManager manager;

    @BeforeEach
    void open() {
        CudaCase.needDevice();
        manager = NDManager.newBaseManager(Device.gpu());
        Kernels.on(Device.gpu()).orElseThrow();
    }

    @AfterEach
    void close() {
        if (manager != null) {
            manager.close();
        }
    }

    /** Head sizes of models; then columns and rows that fill no block, and groups. */
    @ParameterizedTest
    @CsvSource({
        "2, 2, 2, 128, 128",
        "1, 2, 4, 256, 512",
        "3, 1, 2, 65, 37",
        "2, 1, 3, 40, 24",
        "1, 1, 1, 1, 1",
        "2, 2, 2, 512, 4"
    })
    void followsThePortableStep(int batch, int heads, int valueHeads, int keyDim, int valueDim) {
        for (ScalarType type : new ScalarType[] {ScalarType.FLOAT32, ScalarType.BFLOAT16}) {
            for (boolean beta : new boolean[] {false, true}) {
                for (boolean decay : new boolean[] {false, true}) {
                    check(batch, heads, valueHeads, keyDim, valueDim, type, beta, decay);
                }
            }
        }
    }

    private void check(
            int b, int h, int hv, int k, int v, ScalarType type, boolean beta, boolean decay) {
        // Queries and keys as parts of one tensor, as mixers have them.
        NDArray qk = Torch.cast(Tensors.normal(manager, 1, b, 1, 2 * h, k).div(k), type);
        NDArray values = Torch.cast(Tensors.normal(manager, 2, b, 1, hv, v), type);
        NDArray strengths = beta ? Aten.sigmoid(Tensors.normal(manager, 3, b, 1, hv)) : null;
        NDArray decays = decay ? Tensors.normal(manager, 4, b, 1, hv).abs().neg() : null;
        NDArray state = Tensors.normal(manager, 5, b, hv, k, v);
        long[] places = new long[b];
        for (int row = 0; row < b; row++) {
            places[row] = row % 2 == 1 ? 0 : 7;
        }
        Supplier<DeltaRule.Output> step =
                () ->
                        DeltaRule.update(
                                Aten.narrow(qk, 2, 0, h),
                                Aten.narrow(qk, 2, h, h),
                                values,
                                strengths,
                                decays,
                                0.7,
                                state,
                                Positions.of(manager, b, 1, places));
        DeltaRule.Output wanted = Kernels.without(() -> GradientMode.off(step::get));
        DeltaRule.Output output = GradientMode.off(step::get);
        String what =
                type + " " + state.getShape() + (beta ? " beta" : "") + (decay ? " decay" : "");
        assertThat(output.state()).as(what).isSameAs(state);
        Tensors.assertClose(what + " state", state, wanted.state(), TOLERANCE);
        assertThat(Torch.typeOf(output.values())).isEqualTo(type);
        Tensors.assertClose(
                what,
                Torch.cast(output.values(), ScalarType.FLOAT32),
                Torch.cast(wanted.values(), ScalarType.FLOAT32),
                type == ScalarType.FLOAT32 ? TOLERANCE : BFLOAT16_TOLERANCE);
    }

    /** What Gated DeltaNet makes of its projections, by operators. */
    @ParameterizedTest
    @CsvSource({"2, 2, 4, 128, 128", "3, 1, 2, 65, 37", "1, 1, 1, 256, 12"})
    void normalisesAndMakesGatesOfLogits(int b, int h, int hv, int keyDim, int valueDim) {
        NDArray q = Tensors.normal(manager, 1, b, 1, h, keyDim);
        NDArray k = Tensors.normal(manager, 2, b, 1, h, keyDim);
        NDArray v = Tensors.normal(manager, 3, b, 1, hv, valueDim);
        NDArray strengths = Tensors.normal(manager, 4, b, 1, hv);
        NDArray steps = Tensors.normal(manager, 5, b, 1, hv).mul(3);
        NDArray rates = Tensors.normal(manager, 6, hv);
        NDArray biases = Tensors.normal(manager, 7, hv);
        NDArray state = Tensors.normal(manager, 8, b, hv, keyDim, valueDim);
        Positions positions = Positions.range(manager, b, 1, 9);
        NDArray decays = Aten.softplus(steps.add(biases)).mul(rates.exp().neg());
        DeltaRule.Output wanted =
                Kernels.without(
                        () ->
                                DeltaRule.apply(
                                        normal(q),
                                        normal(k),
                                        v,
                                        Aten.sigmoid(strengths).mul(2),
                                        decays,
                                        0.7,
                                        state,
                                        positions));
        DeltaRule.Output output =
                GradientMode.off(
                        () ->
                                DeltaStep.apply(
                                        q,
                                        k,
                                        v,
                                        new Gates(strengths, steps, true, 2, rates, biases),
                                        true,
                                        0.7,
                                        state,
                                        positions));
        Tensors.assertClose("state", output.state(), wanted.state(), TOLERANCE);
        Tensors.assertClose("values", output.values(), wanted.values(), TOLERANCE);
    }

    private static NDArray normal(NDArray x) {
        return x.div(x.mul(x).sum(new int[] {3}, true).add(1e-6f).sqrt());
    }
}
