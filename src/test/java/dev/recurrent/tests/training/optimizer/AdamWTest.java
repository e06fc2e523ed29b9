package dev.recurrent.tests.training.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.metric.TokenCrossEntropy;
import dev.recurrent.training.optimizer.AdamW;
import dev.recurrent.training.optimizer.LearningRate;
import dev.recurrent.zoo.preset.Presets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** AdamW against its definition in fp64, parameter by parameter, on both of its ways. */
class AdamWTest {

    private static final int UPDATES = 3;
    private static final double RATE = 1e-2;
    private static final double DECAY = 0.3;
    private static final double BETA1 = 0.8;
    private static final double BETA2 = 0.9;
    private static final double EPSILON = 1e-6;

    /** fp32 keeps seven digits; weights of up to some units are changed by up to .03. */
    private static final double TOLERANCE = 2e-6;

    @ParameterizedTest
    @ValueSource(strings = {"gated-deltanet-h2", "hawk"})
    void updatesAsDefinedAtOnce(String entry) {
        check(entry, LanguageModelTrainer::new);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gated-deltanet-h2", "hawk"})
    void updatesAsDefinedInTheStockTrainer(String entry) {
        check(entry, Trainer::new);
    }

    private static void check(
            String entry, BiFunction<Model, LanguageModelTrainingConfig, Trainer> factory) {
        try (NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
                Model model = Model.newInstance(entry, Device.cpu(), "PyTorch")) {
            LanguageModel block =
                    new LanguageModel(Presets.find(entry, "tiny").orElseThrow().model());
            block.initialize(manager, DataType.FLOAT32);
            model.setBlock(block);
            LanguageModelTrainingConfig config =
                    new LanguageModelTrainingConfig(new TokenCrossEntropy());
            config.optDevices(new Device[] {Device.cpu()});
            config.optOptimizer(
                    AdamW.builder(block)
                            .optLearningRate(LearningRate.constant((float) RATE))
                            .optDecay(DECAY)
                            .optBetas(BETA1, BETA2)
                            .optEpsilon(EPSILON)
                            .build());
            Map<String, double[][]> oracle = new LinkedHashMap<>();
            try (Trainer trainer = factory.apply(model, config)) {
                for (int update = 1; update <= UPDATES; update++) {
                    // A gradient of known size for each parameter, through a linear loss.
                    Map<String, NDArray> gradients = gradients(trainer, block, manager, update);
                    expect(oracle, block, gradients, update);
                    trainer.step();
                    compare(oracle, block);
                }
            }
        }
    }

    private static Map<String, NDArray> gradients(
            Trainer trainer, LanguageModel block, NDManager manager, int update) {
        Map<String, NDArray> gradients = new LinkedHashMap<>();
        try (GradientCollector collector = trainer.newGradientCollector()) {
            trainer.forward(
                    new NDList(
                            manager.zeros(new ai.djl.ndarray.types.Shape(1, 1), DataType.INT64)));
            NDArray loss = manager.create(0f);
            for (Map.Entry<String, Parameter> entry : SizedBlock.parametersOf(block).entrySet()) {
                NDArray weight = entry.getValue().getArray();
                NDArray gradient =
                        Tensors.normal(
                                manager,
                                entry.getKey().hashCode() + update,
                                weight.getShape().getShape());
                gradients.put(entry.getKey(), gradient);
                loss = loss.add(weight.mul(gradient).sum());
            }
            collector.backward(loss);
        }
        return gradients;
    }

    private static void expect(
            Map<String, double[][]> oracle,
            LanguageModel block,
            Map<String, NDArray> gradients,
            int update) {
        SizedBlock.parametersOf(block)
                .forEach(
                        (name, parameter) -> {
                            float[] gradient = gradients.get(name).toFloatArray();
                            double[][] state =
                                    oracle.computeIfAbsent(name, key -> start(parameter));
                            boolean decayed = parameter.getType() == Parameter.Type.WEIGHT;
                            for (int i = 0; i < gradient.length; i++) {
                                step(state, i, gradient[i], decayed, update);
                            }
                        });
    }

    private static double[][] start(Parameter parameter) {
        float[] values = parameter.getArray().toFloatArray();
        double[][] state = new double[3][values.length];
        for (int i = 0; i < values.length; i++) {
            state[0][i] = values[i];
        }
        return state;
    }

    /** arXiv 1711.05101, algorithm 2, line by line. */
    private static void step(double[][] state, int i, double g, boolean decayed, int t) {
        state[1][i] = BETA1 * state[1][i] + (1 - BETA1) * g;
        state[2][i] = BETA2 * state[2][i] + (1 - BETA2) * g * g;
        double mean = state[1][i] / (1 - Math.pow(BETA1, t));
        double square = state[2][i] / (1 - Math.pow(BETA2, t));
        double decay = decayed ? DECAY * state[0][i] : 0;
        state[0][i] -= RATE * (mean / (Math.sqrt(square) + EPSILON) + decay);
    }

    private static void compare(Map<String, double[][]> oracle, LanguageModel block) {
        SizedBlock.parametersOf(block)
                .forEach(
                        (name, parameter) -> {
                            float[] actual = parameter.getArray().toFloatArray();
                            double[] expected = oracle.get(name)[0];
                            for (int i = 0; i < actual.length; i += 97) {
                                assertThat((double) actual[i])
                                        .as("%s[%d]", name, i)
                                        .isCloseTo(
                                                expected[i],
                                                within(
                                                        TOLERANCE
                                                                * Math.max(
                                                                        1, Math.abs(expected[i]))));
                            }
                        });
    }

    @Test
    void refusesOptionsOfDjlThatItWouldIgnore() {
        LanguageModel block = new LanguageModel(Presets.find("hawk", "tiny").orElseThrow().model());
        assertThatThrownBy(() -> AdamW.builder(block).optWeightDecays(0.1f).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("use optDecay");
        assertThatThrownBy(() -> AdamW.builder(block).optClipGrad(1).build())
                .isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(doubles = {-0.1, Double.NaN, Double.POSITIVE_INFINITY})
    void refusesDecaysThatAreNone(double decay) {
        LanguageModel block = new LanguageModel(Presets.find("hawk", "tiny").orElseThrow().model());
        assertThatThrownBy(() -> AdamW.builder(block).optDecay(decay))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Weight decay must be >= 0, not " + decay);
    }
}
