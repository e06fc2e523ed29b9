package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Device;
import ai.djl.engine.Engine;
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

    /** 8 bits of mantissa through a model and back. */
    private static final double BFLOAT16_TOLERANCE = 8e-2;

    @BeforeAll
    static void needsAGpu() {
        assumeTrue(Engine.getEngine("PyTorch").getGpuCount() > 0, "PyTorch sees no GPU");
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
        assertClose(gradients(entry, config -> {}), portable, FULL_TOLERANCE);
        assertClose(
                gradients(entry, config -> config.optPrecision(MatrixPrecision.BFLOAT16)),
                portable,
                BFLOAT16_TOLERANCE);
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

    /** Per parameter, by the norm of the difference over the norm. */
    private static void assertClose(
            Map<String, float[]> actual, Map<String, float[]> wanted, double tolerance) {
        assertThat(actual.keySet()).isEqualTo(wanted.keySet());
        wanted.forEach(
                (name, gradient) -> {
                    float[] other = actual.get(name);
                    double difference = 0;
                    double norm = 0;
                    for (int i = 0; i < gradient.length; i++) {
                        difference += Math.pow(other[i] - gradient[i], 2);
                        norm += Math.pow(gradient[i], 2);
                    }
                    assertThat(Math.sqrt(difference / norm)).as(name).isLessThan(tolerance);
                });
    }
}
