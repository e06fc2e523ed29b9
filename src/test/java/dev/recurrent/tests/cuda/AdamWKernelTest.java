package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.AdamWKernel;
import dev.recurrent.blocks.kernel.SumOfSquares;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.GatedMlp;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.ScanOracle;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.optimizer.AdamW;
import dev.recurrent.training.optimizer.AdamWState;
import dev.recurrent.training.optimizer.Gradients;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The optimizer's kernels against their definitions in float64 and the portable update. */
@Tag("cuda")
class AdamWKernelTest {

    /** A few fp32 roundings an update. */
    private static final double TOLERANCE = 1e-6;

    private static final int UPDATES = 3;
    private static final double SCALE = 0.37;

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

    @Test
    void stepsAsDefined() {
        AdamWKernel.Step step = new AdamWKernel.Step(0.5, 0.9, 0.95, 1e-3, 1e-2, 0.99);
        for (int size : new int[] {1, 255, 256, 1000}) {
            NDArray[] tensors = new NDArray[4];
            double[][] values = new double[4][];
            for (int i = 0; i < tensors.length; i++) {
                NDArray drawn = Tensors.normal(manager, i, size);
                tensors[i] = i == 3 ? drawn.abs() : drawn;
                values[i] = ScanOracle.doubles(tensors[i]);
            }
            AdamWKernel.apply(device, tensors[0], tensors[1], tensors[2], tensors[3], step);
            for (int i = 0; i < size; i++) {
                double g = 0.5 * values[1][i];
                values[2][i] = 0.9 * values[2][i] + 0.1 * g;
                values[3][i] = 0.95 * values[3][i] + 0.05 * g * g;
                double change = values[2][i] / (Math.sqrt(values[3][i]) + 1e-3);
                values[0][i] = 0.99 * values[0][i] - 1e-2 * change;
            }
            for (int i = 0; i < tensors.length; i++) {
                NDArray expected = ScanOracle.tensor(manager, values[i], tensors[i].getShape());
                Tensors.assertClose(size + ", " + i, tensors[i], expected, TOLERANCE);
            }
        }
    }

    /** Parameters of odd sizes, so that moments begin anywhere in their group's vectors. */
    @Test
    void updatesAsThePortableForm() {
        Map<String, float[]> fused = train();
        Map<String, float[]> again = train();
        Map<String, float[]> portable = Kernels.without(this::train);
        portable.forEach(
                (name, expected) -> {
                    NDArray wanted = manager.create(expected);
                    NDArray actual = manager.create(fused.get(name));
                    Tensors.assertClose(name, actual, wanted, TOLERANCE);
                    assertThat(again.get(name)).as(name).isEqualTo(fused.get(name));
                });
    }

    /** Returns parameters, moments and the gradients' norm after some updates. */
    private Map<String, float[]> train() {
        try (NDManager own = manager.newSubManager()) {
            GatedMlp block =
                    new GatedMlp(
                            7,
                            new MlpConfig(13, Activation.SILU, true),
                            Initialization.normal(0.1));
            block.initialize(own, DataType.FLOAT32);
            Map<String, Parameter> parameters = SizedBlock.parametersOf(block);
            int seed = 0;
            for (Parameter parameter : parameters.values()) {
                NDArray weight = parameter.getArray();
                weight.set(
                        Tensors.normal(own, seed++, weight.getShape().getShape()).toFloatArray());
                weight.setRequiresGradient(true);
            }
            AdamWState state = AdamW.builder(block).optDecay(0.3).build().newState(own, parameters);
            Map<String, float[]> results = new LinkedHashMap<>();
            for (int update = 1; update <= UPDATES; update++) {
                differentiate(own, parameters, update);
                try (Gradients gradients = new Gradients(own, parameters)) {
                    results.put("norm " + update, new float[] {(float) gradients.norm()});
                    GradientMode.off(
                            () -> {
                                state.update(gradients, SCALE);
                                gradients.zero();
                                return null;
                            });
                }
            }
            parameters.forEach(
                    (name, parameter) -> results.put(name, parameter.getArray().toFloatArray()));
            state.tensors(own).forEach((name, value) -> results.put(name, value.toFloatArray()));
            return results;
        }
    }

    /** Leaves gradients of known size, through a linear loss. */
    private static void differentiate(
            NDManager manager, Map<String, Parameter> parameters, int update) {
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            NDArray loss = manager.create(0f);
            int seed = 100 * update;
            for (Parameter parameter : parameters.values()) {
                NDArray weight = parameter.getArray();
                NDArray gradient = Tensors.normal(manager, seed++, weight.getShape().getShape());
                loss = loss.add(weight.mul(gradient).sum());
            }
            collector.backward(loss);
        }
    }

    @Test
    void sumsSquaresOfTensorsOfAnySize() {
        NDArray large = Tensors.normal(manager, 1, 300_000);
        NDArray odd = Aten.narrow(Tensors.normal(manager, 2, 1002), 0, 1, 1001);
        NDArray one = manager.create(new float[] {3});
        List<NDArray> tensors = List.of(large, odd, one);
        double expected = 0;
        for (NDArray tensor : tensors) {
            for (double value : ScanOracle.doubles(tensor.duplicate())) {
                expected += value * value;
            }
        }
        float sum = sum(tensors);
        assertThat((double) sum).isCloseTo(expected, within(TOLERANCE * expected));
        assertThat(sum(tensors)).isEqualTo(sum);
        NDArray unreal = manager.create(new float[] {1, Float.NaN});
        assertThat(sum(List.of(large, unreal))).isNaN();
    }

    private float sum(List<NDArray> tensors) {
        return SumOfSquares.of(device, manager, tensors).toFloatArray()[0];
    }

    @Test
    void refusesWhatItCannotUpdateInPlace() {
        NDArray a = Tensors.normal(manager, 1, 6);
        NDArray narrow = Torch.cast(a, ScalarType.BFLOAT16);
        NDArray columns = Tensors.normal(manager, 1, 2, 3).transpose();
        NDArray fewer = Tensors.normal(manager, 1, 5);
        AdamWKernel.Step step = new AdamWKernel.Step(1, 0.9, 0.95, 1e-8, 1e-3, 1);
        assertThat(AdamWKernel.fits(a, fewer)).isTrue();
        for (NDArray other : new NDArray[] {narrow, columns, fewer}) {
            assertThatThrownBy(() -> AdamWKernel.apply(device, a, a, other, a, step))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("four dense float32 tensors of one size");
        }
    }
}
