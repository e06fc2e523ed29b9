package dev.recurrent.tests.zoo;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDList;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelZoo;
import ai.djl.repository.zoo.ZooModel;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.cli.Main;
import dev.recurrent.tests.support.ForkedJvm;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.io.PrintWriter;
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
                System.out.println("by Criteria: " + block.config().vocabulary());
            }
            Preset preset = Presets.find("delta-net", Preset.TINY).orElseThrow();
            try (Pretrained opened = Pretrained.open(preset, Device.cpu(), 0)) {
                System.out.println("opened: " + opened.config().model().vocabulary());
            }
            PrintWriter out = new PrintWriter(System.out, true);
            int code = Main.run(out, out, "save", "-m", "delta-net", "-o", arguments[0]);
            System.out.println("command line: " + code);
        }
    }

    @Test
    void prefersTrainedWeightsOnTheClassPath() throws Exception {
        Path models = folder.resolve("dev/recurrent/zoo/models/delta-net/tiny");
        Files.createDirectories(models);
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(ZooCases.folder("delta_net").resolve(file), models.resolve(file));
        }
        Path saved = folder.resolve("saved");
        ForkedJvm.Result result =
                ForkedJvm.run(
                        List.of("-Xbootclasspath/a:" + folder), Bundled.class, saved.toString());
        assertThat(result.output())
                .contains("by Criteria: 320", "opened: 320", "command line: 0")
                .doesNotContain("random");
        assertThat(HubConfig.read(saved.resolve("config.json")).model().vocabulary())
                .isEqualTo(320);
        assertThat(result.exit()).isZero();
    }
}
