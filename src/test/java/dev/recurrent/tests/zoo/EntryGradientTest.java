package dev.recurrent.tests.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.metric.TokenCrossEntropy;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The loss's gradient of every entry, whole models, against central differences. */
class EntryGradientTest {

    private static final int ROWS = 1;

    /** More than a chunk of the rules and than the attention windows of 64. */
    private static final int LENGTH = 70;

    /**
     * Along a unit direction; the loss's fp32 logits give differences of the larger derivatives an
     * error of about 1e-3.
     */
    private static final float STEP = 1e-2f;

    private static final double TOLERANCE = 2e-2;

    /** The rounding of a loss of 5.5 averaged over 70 tokens, over twice the step. */
    private static final double NOISE = 1e-5;

    static Stream<Preset> entries() {
        return Presets.all().stream().filter(preset -> preset.size().equals(Preset.RECALL_BYTES));
    }

    @ParameterizedTest
    @MethodSource("entries")
    void equalsCentralDifferences(Preset preset) throws Exception {
        try (Pretrained model = Pretrained.create(preset.config(), Device.cpu(), 5)) {
            NDManager manager = model.manager();
            long[] tokens = new Random(1).longs((long) ROWS * LENGTH, 0, 256).toArray();
            NDArray ids = manager.create(tokens, new Shape(ROWS, LENGTH));
            NDArray labels = ids.get(":, 1:").concat(ids.get(":, :1"), 1);
            Map<String, Parameter> parameters = SizedBlock.parametersOf(model.model());
            parameters.values().forEach(p -> p.getArray().setRequiresGradient(true));
            try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
                NDList logits = new NDList(logits(model, ids, true));
                collector.backward(new TokenCrossEntropy().evaluate(new NDList(labels), logits));
            }
            int seed = 2;
            for (Map.Entry<String, Parameter> entry : parameters.entrySet()) {
                NDArray variable = entry.getValue().getArray();
                NDArray gradient = variable.getGradient().duplicate();
                NDArray direction = direction(variable, gradient, seed++);
                double actual = gradient.mul(direction).sum().getFloat();
                double expected = difference(model, ids, labels, variable, direction);
                assertThat(actual)
                        .as(entry.getKey())
                        .isCloseTo(expected, within(TOLERANCE * Math.abs(expected) + NOISE));
            }
        }
    }

    /** Half noise, half gradient, so that the derivative along it is never near zero. */
    private static NDArray direction(NDArray variable, NDArray gradient, int seed) {
        NDArray noise = Tensors.normal(variable.getManager(), seed, variable.getShape().getShape());
        NDArray unit = noise.div(noise.norm().add(1e-12f));
        NDArray sum = unit.add(gradient.div(gradient.norm().add(1e-12f)));
        return sum.div(sum.norm());
    }

    private static double difference(
            Pretrained model, NDArray ids, NDArray labels, NDArray variable, NDArray direction) {
        variable.setRequiresGradient(false);
        NDArray step = direction.mul(STEP);
        variable.addi(step);
        double above = loss(model, ids, labels);
        variable.subi(step.mul(2));
        double below = loss(model, ids, labels);
        variable.addi(step);
        return (above - below) / (2 * STEP);
    }

    /** From fp32 logits on in float64. */
    private static double loss(Pretrained model, NDArray ids, NDArray labels) {
        NDArray logits =
                GradientMode.off(() -> logits(model, ids, false).toType(DataType.FLOAT64, false));
        return -logits.logSoftmax(-1)
                .gather(labels.expandDims(2), 2)
                .mean()
                .toType(DataType.FLOAT64, false)
                .getDouble();
    }

    private static NDArray logits(Pretrained model, NDArray ids, boolean training) {
        return model.model()
                .forward(
                        new ParameterStore(model.manager(), false),
                        ids,
                        Positions.range(ids.getManager(), ROWS, LENGTH, 0),
                        null,
                        training)
                .values();
    }
}
