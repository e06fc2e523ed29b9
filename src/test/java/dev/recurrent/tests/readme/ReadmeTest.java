package dev.recurrent.tests.readme;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.inference.Predictor;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The README's example runs, and is the one that stands here. */
class ReadmeTest {

    private static final Path ROOT = Path.of("..", "..");

    @Test
    void exampleRuns() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
        // example
        Criteria<String, String> griffin =
                Criteria.builder()
                        .setTypes(String.class, String.class)
                        .optGroupId("dev.recurrent")
                        .optArtifactId("griffin")
                        .optArgument("max_new_tokens", 32)
                        .build();
        try (ZooModel<String, String> model = griffin.loadModel();
                Predictor<String, String> predictor = model.newPredictor()) {
            out.println(predictor.predict("OSRIN:\nThe river "));
        }
        // end
        // 32 bytes are eight characters at the least.
        assertThat(bytes.toString(StandardCharsets.UTF_8)).hasSizeGreaterThan(8);
    }

    @Test
    void readmeShowsTheExample() throws Exception {
        Path source =
                ROOT.resolve("src/test/java")
                        .resolve(getClass().getName().replace('.', '/') + ".java");
        String code = between(Files.readAllLines(source), "// example", "// end");
        String readme = between(Files.readAllLines(ROOT.resolve("README.md")), "```java", "```");
        assertThat(readme).isEqualTo(code.replace("out.println", "System.out.println"));
    }

    private static String between(List<String> lines, String start, String end) {
        int from = index(lines, start, 0) + 1;
        String text = String.join("\n", lines.subList(from, index(lines, end, from)));
        return text.stripIndent().strip();
    }

    private static int index(List<String> lines, String wanted, int from) {
        for (int i = from; i < lines.size(); i++) {
            if (lines.get(i).strip().equals(wanted)) {
                return i;
            }
        }
        throw new AssertionError("There is no line " + wanted);
    }
}
