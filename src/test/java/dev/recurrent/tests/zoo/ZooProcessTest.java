package dev.recurrent.tests.zoo;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDList;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelZoo;
import ai.djl.repository.zoo.ZooModel;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.tests.support.ForkedJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What must be seen from a JVM's start. */
class ZooProcessTest {

    @TempDir private Path folder;

    /** Lists all zoos, as every user of DJL does by touching the class. */
    static final class Listing {
        public static void main(String[] arguments) {
            System.out.println("zoo: " + ModelZoo.hasModelZoo("dev.recurrent"));
        }
    }

    @Test
    void costsOtherUsersOfDjlNothing() throws Exception {
        ForkedJvm.Result result = ForkedJvm.run(List.of("-verbose:class"), Listing.class);
        assertThat(result.exit()).isZero();
        assertThat(result.output())
                .contains("zoo: true")
                .contains("dev.recurrent.zoo.RecurrentModelZoo")
                .doesNotContain("dev.recurrent.blocks.")
                .doesNotContain("dev.recurrent.zoo.preset.Presets");
    }

    /** Loads an entry for which there are trained weights on the class path. */
    static final class Bundled {
        public static void main(String[] arguments) throws Exception {
            Criteria<NDList, NDList> criteria =
                    Criteria.builder()
                            .setTypes(NDList.class, NDList.class)
                            .optGroupId("dev.recurrent")
                            .optArtifactId("delta-net")
                            .build();
            try (ZooModel<NDList, NDList> model = criteria.loadModel()) {
                LanguageModel block = (LanguageModel) model.getBlock();
                System.out.println("vocabulary: " + block.config().vocabulary());
            }
        }
    }

    @Test
    void prefersTrainedWeightsOnTheClassPath() throws Exception {
        Path models = folder.resolve("dev/recurrent/zoo/models/delta-net/tiny");
        Files.createDirectories(models);
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(ZooCases.folder("delta_net").resolve(file), models.resolve(file));
        }
        ForkedJvm.Result result =
                ForkedJvm.run(List.of("-Xbootclasspath/a:" + folder), Bundled.class);
        assertThat(result.output()).contains("vocabulary: 320");
        assertThat(result.exit()).isZero();
    }
}
