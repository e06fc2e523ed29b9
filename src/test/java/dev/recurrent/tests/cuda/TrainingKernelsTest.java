package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.tests.support.TinyTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Training passes of whole models with kernels on the tape, against the portable forms. */
@Tag("cuda")
class TrainingKernelsTest {

    /** Several chunks, the last ragged. */
    private static final int LENGTH = 200;

    /** fp32 sums in other orders through a model; the smallest gradients are ill-conditioned. */
    private static final double FULL_TOLERANCE = 2e-4;

    /**
     * Of what bfloat16 does to the portable forms' gradients, all together: tensor cores round some
     * operands inside of a kernel, and kernels round less in between (measured: .87 to 1.01).
     */
    private static final double BFLOAT16_FACTOR = 1.1;

    /**
     * The same for one parameter. Gradients of a head's few numbers are sums that nearly cancel
     * (measured: up to 2.9 for those, 1.3 for others).
     */
    private static final double BFLOAT16_FACTOR_OF_ONE = 3;

    private static final double BFLOAT16_LEAST_OF_ONE = 3e-2;

    @BeforeAll
    static void needsAGpu() {
        CudaCase.needDevice();
    }

    static Stream<String> entries() {
        return Presets.all().stream()
                .filter(preset -> preset.size().equals(Preset.TINY))
                .map(Preset::artifactId);
    }

    @ParameterizedTest
    @MethodSource("entries")
    void gradientsAreThoseOfThePortableForms(String entry) throws Exception {
        Map<String, float[]> portable = Kernels.without(() -> gradients(entry, config -> {}));
        Map<String, float[]> fused = gradients(entry, config -> {});
        assertThat(fused.keySet()).isEqualTo(portable.keySet());
        portable.forEach(
                (name, gradient) ->
                        assertThat(distance(fused.get(name), gradient))
                                .as(name)
                                .isLessThan(FULL_TOLERANCE));
    }

    @ParameterizedTest
    @MethodSource("entries")
    void bfloat16IsNoLessExactThanInThePortableForms(String entry) throws Exception {
        Consumer<LanguageModelTrainingConfig> options =
                config -> config.optPrecision(MatrixPrecision.BFLOAT16);
        Map<String, float[]> full = Kernels.without(() -> gradients(entry, config -> {}));
        Map<String, float[]> portable = Kernels.without(() -> gradients(entry, options));
        Map<String, float[]> fused = gradients(entry, options);
        double usual = distance(portable, full);
        assertThat(distance(fused, full)).isLessThan(BFLOAT16_FACTOR * usual);
        full.forEach(
                (name, gradient) ->
                        assertThat(distance(fused.get(name), gradient))
                                .as(name)
                                .isLessThan(
                                        Math.max(
                                                BFLOAT16_LEAST_OF_ONE,
                                                BFLOAT16_FACTOR_OF_ONE
                                                        * distance(portable.get(name), gradient))));
    }

    @ParameterizedTest
    @MethodSource("entries")
    void recomputationChangesNothing(String entry) throws Exception {
        Consumer<LanguageModelTrainingConfig> options =
                config -> config.optPrecision(MatrixPrecision.BFLOAT16);
        Map<String, float[]> kept = gradients(entry, options);
        Map<String, float[]> again =
                gradients(entry, options.andThen(config -> config.optRecomputation(true)));
        kept.forEach((name, gradient) -> assertThat(again.get(name)).as(name).isEqualTo(gradient));
    }

    private static Map<String, float[]> gradients(
            String entry, Consumer<LanguageModelTrainingConfig> options) {
        try (TinyTrainer trainer = new TinyTrainer(entry, Device.gpu(), options)) {
            trainer.pass(3, 3, LENGTH);
            return trainer.gradients();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** The same over all parameters. */
    private static double distance(Map<String, float[]> actual, Map<String, float[]> wanted) {
        double difference = 0;
        double norm = 0;
        for (Map.Entry<String, float[]> entry : wanted.entrySet()) {
            double own = normOf(entry.getValue());
            difference += Math.pow(own * distance(actual.get(entry.getKey()), entry.getValue()), 2);
            norm += own * own;
        }
        return Math.sqrt(difference / norm);
    }

    private static double normOf(float[] values) {
        double sum = 0;
        for (float value : values) {
            sum += value * value;
        }
        return Math.sqrt(sum);
    }

    /** The norm of the difference over the norm. */
    private static double distance(float[] actual, float[] wanted) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < wanted.length; i++) {
            difference += Math.pow(actual[i] - wanted[i], 2);
            norm += Math.pow(wanted[i], 2);
        }
        return Math.sqrt(difference / norm);
    }
}
