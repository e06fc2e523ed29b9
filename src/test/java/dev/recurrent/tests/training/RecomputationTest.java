package dev.recurrent.tests.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.tests.support.TinyTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Recomputed activations give the gradients of kept ones, bit by bit. */
class RecomputationTest {

    /** Two chunks, the second ragged; longer than no window, so that masks of all kinds occur. */
    private static final int LENGTH = 70;

    static Stream<String> entries() {
        return Presets.all().stream()
                .filter(preset -> preset.size().equals(Preset.TINY))
                .map(Preset::artifactId);
    }

    @ParameterizedTest
    @MethodSource("entries")
    void gradientsAreTheSame(String entry) throws Exception {
        compare(entry, config -> {});
    }

    @Test
    void dropoutDrawsTheSameMasksAgain() throws Exception {
        compare("gated-deltanet-h1", config -> config.optDropout(0.3));
        compare("griffin", config -> config.optAttentionDropout(0.3));
        compare("mqa-transformer", config -> config.optDropout(0.2).optAttentionDropout(0.3));
    }

    private static void compare(String entry, Consumer<LanguageModelTrainingConfig> options)
            throws Exception {
        try (TinyTrainer kept = new TinyTrainer(entry, options);
                TinyTrainer again =
                        new TinyTrainer(
                                entry, options.andThen(config -> config.optRecomputation(true)))) {
            assertThat(again.pass(3, 2, LENGTH)).isEqualTo(kept.pass(3, 2, LENGTH));
            Map<String, float[]> expected = kept.gradients();
            Map<String, float[]> actual = again.gradients();
            assertThat(actual.keySet()).isEqualTo(expected.keySet());
            expected.forEach(
                    (name, gradient) -> assertThat(actual.get(name)).as(name).isEqualTo(gradient));
        }
    }

    @Test
    void dropoutChangesTheLossAndDependsOnTheSeed() throws Exception {
        float without;
        float[] with = new float[3];
        try (TinyTrainer none = new TinyTrainer("hawk", config -> {})) {
            without = none.pass(3, 2, LENGTH);
        }
        for (int i = 0; i < with.length; i++) {
            long seed = i / 2;
            try (TinyTrainer some =
                    new TinyTrainer("hawk", config -> config.optDropout(0.2).optSeed(seed))) {
                with[i] = some.pass(3, 2, LENGTH);
            }
        }
        assertThat(with[0]).isEqualTo(with[1]).isNotEqualTo(with[2]).isNotEqualTo(without);
    }

    @Test
    void attentionDropoutIsATrainingMatter() throws Exception {
        try (TinyTrainer none = new TinyTrainer("mqa-transformer", config -> {});
                TinyTrainer some =
                        new TinyTrainer(
                                "mqa-transformer", config -> config.optAttentionDropout(0.3))) {
            assertThat(some.pass(3, 2, LENGTH)).isNotEqualTo(none.pass(3, 2, LENGTH));
            assertThat(some.logits(3)).isEqualTo(none.logits(3));
        }
    }

    @Test
    void aThreadHasOneTape() {
        try (Tape tape = Tape.open(true)) {
            assertThatThrownBy(() -> Tape.open(false))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("has an open tape");
            assertThat(Tape.isRecomputing()).isTrue();
            assertThat(tape).isNotNull();
        }
        assertThat(Tape.isRecomputing()).isFalse();
    }
}
