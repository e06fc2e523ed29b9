package dev.recurrent.tests.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class BuildTest {

    /** Surefire starts in the folder of the tests' module, src/test. */
    private static final Path ROOT = Path.of("").toAbsolutePath().getParent().getParent();

    @Test
    void ciRunsTheTestCommandOfTheReadme() throws IOException {
        String command =
                Files.readAllLines(ROOT.resolve(".ci/run")).stream()
                        .filter(line -> line.startsWith("mvn"))
                        .reduce((one, other) -> one + "\n" + other)
                        .orElseThrow();
        assertThat(Files.readString(ROOT.resolve("README.md"))).contains("\n" + command + "\n");
    }

    @Test
    void scriptsCanBeRun() {
        assertThat(ROOT.resolve("bin/recurrent")).isExecutable();
        assertThat(ROOT.resolve("bin/test-cuda")).isExecutable();
        assertThat(ROOT.resolve(".ci/run")).isExecutable();
    }
}
