package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.mixer.RealGatedLru;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.GatedLinearRecurrence;
import dev.recurrent.blocks.rule.GatedLinearRecurrence.Gate;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Gradients;
import dev.recurrent.tests.support.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The RG-LRU's kernels, values and every gradient, against the portable form in float32. */
@Tag("cuda")
class GatedRecurrenceOperationTest {

    /** fp32 rounding of both forms along some hundreds of steps that their decays remember. */
    private static final double TOLERANCE = 1e-5;

    /**
     * Half a unit in the last of bf16's eight bits, 4e-3, of h on the way and again of each
     * gradient; sums over the few tokens of short rows may cancel.
     */
    private static final double BFLOAT16_TOLERANCE = 2e-2;

    private static final int B = 3;

    private CudaCase device;

    @BeforeEach
    void open() {
        device = new CudaCase();
    }

    @AfterEach
    void close() {
        if (device != null) {
            device.close();
        }
    }

    /** Around a team's steps, a tile and the length that is cut, with odd and even blocks. */
    @ParameterizedTest
    @CsvSource({
        "1, 70, 1",
        "2, 6, 2",
        "7, 66, 3",
        "8, 15, 5",
        "63, 130, 1",
        "129, 64, 2",
        "300, 36, 4",
        "1023, 10, 1",
        "4097, 8, 2"
    })
    void valuesAndGradientsAreThoseOfThePortableForm(int length, int width, int blocks) {
        for (String kind : new String[] {"fresh", "continued", "documents"}) {
            check(kind, length, width, blocks, ScalarType.FLOAT32);
            check(kind, length, width, blocks, ScalarType.BFLOAT16);
        }
    }

    private void check(String kind, int length, int width, int blocks, ScalarType type) {
        Positions positions = device.positions(B, length, kind);
        long size = width / blocks;
        NDArray[] inputs = {
            device.normal(type, 1, B, length, width),
            device.normal(type, 2, blocks, (long) B * length, size),
            device.normal(type, 3, blocks, (long) B * length, size),
            device.normal(ScalarType.FLOAT32, 4, blocks, size),
            device.normal(ScalarType.FLOAT32, 5, blocks, size),
            // Memories of some to some hundreds of tokens, as trained models have them.
            device.normal(ScalarType.FLOAT32, 6, width).sub(3),
            device.normal(ScalarType.FLOAT32, 7, B, width)
        };
        NDArray[] weights = {
            device.normal(ScalarType.FLOAT32, 8, B, length, width)
                    .mul(positions.real().expandDims(2)),
            device.normal(ScalarType.FLOAT32, 9, B, width)
        };
        device.check(
                type + " " + kind + " " + length + " x " + width,
                arrays -> apply(positions, arrays),
                weights,
                type == ScalarType.FLOAT32 ? TOLERANCE : BFLOAT16_TOLERANCE,
                inputs);
    }

    private static NDArray[] apply(Positions positions, NDArray... inputs) {
        GatedLinearRecurrence.Output output =
                GatedLinearRecurrence.apply(
                        inputs[0],
                        new Gate(inputs[1], inputs[3]),
                        new Gate(inputs[2], inputs[4]),
                        inputs[5],
                        inputs[6],
                        positions);
        return new NDArray[] {output.values(), output.state()};
    }

    /** With r = 0 nothing is forgotten, and the derivative of the root would be infinite. */
    @Test
    void gradientsStayBoundedWhereNothingIsForgotten() {
        Positions positions = device.positions(B, 20, "fresh");
        NDArray[] inputs = {
            device.normal(ScalarType.FLOAT32, 1, B, 20, 8),
            device.normal(ScalarType.FLOAT32, 2, 1, B * 20, 8),
            device.normal(ScalarType.FLOAT32, 3, 1, B * 20, 8).sub(200),
            device.normal(ScalarType.FLOAT32, 4, 8),
            device.normal(ScalarType.FLOAT32, 5, 8),
            device.normal(ScalarType.FLOAT32, 6, 8),
            null
        };
        NDArray[] weights = {device.normal(ScalarType.FLOAT32, 7, B, 20, 8), null};
        Gradients gradients = Gradients.taped(arrays -> apply(positions, arrays), weights, inputs);
        for (int i = 0; i < 6; i++) {
            float[] values = gradients.inputs()[i].toFloatArray();
            for (float value : values) {
                assertThat(value).as("gradient " + i).isFinite().isBetween(-1e6f, 1e6f);
            }
        }
    }

    /** Also the products with the gates' weights, and gradients that come together in u. */
    @Test
    void theUnitTrainsAsWithoutKernels() {
        NDManager manager = device.manager;
        RealGatedLru unit = new RealGatedLru(48, 4, Initialization.fanIn(1));
        unit.initialize(manager, DataType.FLOAT32, new Shape(1, 1, 48));
        List<Parameter> parameters = new ArrayList<>(SizedBlock.parametersOf(unit).values());
        ParameterStore store = new ParameterStore(manager, false);
        Positions positions = device.positions(B, 70, "documents");
        NDArray[] weights = {
            device.normal(ScalarType.FLOAT32, 2, B, 70, 48).mul(positions.real().expandDims(2))
        };
        NDArray x = device.normal(ScalarType.FLOAT32, 1, B, 70, 48);
        List<float[]> expected =
                Kernels.without(() -> train(unit, store, parameters, positions, weights, x, false));
        List<float[]> actual = train(unit, store, parameters, positions, weights, x, true);
        for (int i = 0; i < expected.size(); i++) {
            NDArray wanted = manager.create(expected.get(i));
            Tensors.assertClose("gradient " + i, manager.create(actual.get(i)), wanted, TOLERANCE);
        }
    }

    private static List<float[]> train(
            RealGatedLru unit,
            ParameterStore store,
            List<Parameter> parameters,
            Positions positions,
            NDArray[] weights,
            NDArray x,
            boolean taped) {
        parameters.forEach(p -> p.getArray().setRequiresGradient(true));
        List<float[]> before = new ArrayList<>();
        parameters.forEach(p -> before.add(gradient(p)));
        UnaryOperator<NDArray[]> function =
                inputs ->
                        new NDArray[] {
                            // u as a part of the graph, not a leaf.
                            unit.forward(store, inputs[0].mul(2), null, positions, true).values()
                        };
        Gradients gradients =
                taped
                        ? Gradients.taped(function, weights, x)
                        : Gradients.recorded(function, weights, x);
        List<float[]> all = new ArrayList<>();
        all.add(gradients.inputs()[0].toFloatArray());
        for (int i = 0; i < before.size(); i++) {
            // Gradients add up over runs.
            float[] sum = gradient(parameters.get(i));
            for (int j = 0; j < sum.length; j++) {
                sum[j] -= before.get(i)[j];
            }
            all.add(sum);
        }
        return all;
    }

    private static float[] gradient(Parameter parameter) {
        NDArray gradient = JniUtils.getGradient((PtNDArray) parameter.getArray());
        return gradient == null
                ? new float[Math.toIntExact(parameter.getArray().size())]
                : gradient.toFloatArray();
    }

    @Test
    void aTokenIsOneStepOfMany() {
        Positions whole = device.positions(B, 6, "fresh");
        NDArray u = device.normal(ScalarType.FLOAT32, 1, B, 6, 10);
        NDArray in = device.normal(ScalarType.FLOAT32, 2, B, 6, 10);
        NDArray r = device.normal(ScalarType.FLOAT32, 3, B, 6, 10);
        NDArray bias = device.normal(ScalarType.FLOAT32, 4, 10);
        NDArray lambda = device.normal(ScalarType.FLOAT32, 5, 10).sub(3);
        NDArray expected = step(u, in, r, bias, lambda, null, whole).values();
        NDArray state = null;
        for (int t = 0; t < 6; t++) {
            String column = ":, " + t + ":" + (t + 1);
            Positions one = Positions.range(device.manager, B, 1, t);
            GatedLinearRecurrence.Output output =
                    step(u.get(column), in.get(column), r.get(column), bias, lambda, state, one);
            Tensors.assertClose(column, output.values(), expected.get(column), TOLERANCE);
            state = output.state();
        }
        assertThat(Torch.typeOf(state)).isEqualTo(ScalarType.FLOAT32);
    }

    private static GatedLinearRecurrence.Output step(
            NDArray u,
            NDArray in,
            NDArray r,
            NDArray bias,
            NDArray lambda,
            NDArray state,
            Positions positions) {
        Shape product = new Shape(1, u.size() / 10, 10);
        return GradientMode.off(
                () ->
                        GatedLinearRecurrence.apply(
                                u,
                                new Gate(in.reshape(product), bias),
                                new Gate(r.reshape(product), bias),
                                lambda,
                                state,
                                positions));
    }
}
