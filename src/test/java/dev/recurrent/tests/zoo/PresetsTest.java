package dev.recurrent.tests.zoo;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.repository.zoo.ModelLoader;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.zoo.RecurrentModelZoo;
import dev.recurrent.zoo.config.ConfigException;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.util.List;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class PresetsTest {

    static List<Preset> presets() {
        return Presets.all();
    }

    /** Published counts, with half a unit of their last digit as tolerance. */
    @ParameterizedTest
    @CsvSource({
        "delta-net, 340m, 374e6, .5e6",
        "delta-net, 1.3b, 1.366e9, .5e6",
        "gated-deltanet, 1.3b, 1.387e9, .5e6",
        "gated-deltanet-h1, 0.4b, 531e6, .5e6",
        "gated-deltanet-h1, 1.3b, 1.32e9, 5e6",
        "griffin, recurrentgemma-2b, 2.683e9, .5e6",
        "griffin, recurrentgemma-9b, 8.580e9, 2.5e6"
    })
    void countsAsPublished(String artifactId, String size, double published, double tolerance) {
        long count = count(Presets.find(artifactId, size).orElseThrow().model());
        assertThat((double) count).isBetween(published - tolerance, published + tolerance);
    }

    /** The one size of H2 has the parameters of H1's, as the paper compares them. */
    @Test
    void comparesHybridsOfOneSize() {
        long h1 = count(Presets.find("gated-deltanet-h1", "1.3b").orElseThrow().model());
        long h2 = count(Presets.find("gated-deltanet-h2", "1.3b").orElseThrow().model());
        assertThat(h2).isCloseTo(h1, Percentage.withPercentage(3));
    }

    @ParameterizedTest
    @MethodSource("presets")
    void isSaidInUpstreamsWords(Preset preset) throws ConfigException {
        HubConfig read = HubConfig.parse("preset", HubConfig.toText(preset.config().json()));
        assertThat(read.model()).isEqualTo(preset.model());
        assertThat(read.tokens()).isEqualTo(preset.tokens());
        assertThat(read.maxPositions()).isEqualTo(preset.maxPositions());
    }

    @Test
    void hasATinyOneOfEveryEntry() {
        List<String> entries =
                new RecurrentModelZoo()
                        .getModelLoaders().stream().map(ModelLoader::getArtifactId).toList();
        assertThat(entries)
                .hasSize(10)
                .containsExactlyInAnyOrderElementsOf(
                        Presets.all().stream().map(Preset::artifactId).distinct().toList());
        for (String entry : entries) {
            Preset first = Presets.of(entry).get(0);
            assertThat(first.size()).as(entry).isEqualTo(Preset.TINY);
            assertThat(first.model().vocabulary()).as(entry).isEqualTo(256);
            assertThat(count(first.model())).as(entry).isBetween(1_050_000L, 1_350_000L);
        }
    }

    private static long count(LanguageModelConfig model) {
        return new LanguageModel(model).parameterCount();
    }
}
