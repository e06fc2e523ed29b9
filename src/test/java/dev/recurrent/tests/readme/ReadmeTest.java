package dev.recurrent.tests.readme;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.inference.Predictor;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Dataset;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.data.Corpus;
import dev.recurrent.training.data.Texts;
import dev.recurrent.training.data.TokenWindows;
import dev.recurrent.training.metric.TokenCrossEntropy;
import dev.recurrent.training.optimizer.AdamW;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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
    void fineTuningRuns(@TempDir Path folder) throws Exception {
        Path book = Files.writeString(folder.resolve("book.txt"), "To be or not. ".repeat(350));
        Path tuned = folder.resolve("my-griffin");
        Criteria<String, String> griffin =
                Criteria.builder()
                        .setTypes(String.class, String.class)
                        .optGroupId("dev.recurrent")
                        .optArtifactId("griffin")
                        .build();
        // fine-tuning
        LanguageModelTrainingConfig config =
                new LanguageModelTrainingConfig(new TokenCrossEntropy()).optMaxGradientNorm(1);
        try (Corpus corpus = Corpus.of(Texts.of(book, "text"), new ByteTokenizer());
                ZooModel<String, String> model = griffin.loadModel()) {
            TokenWindows.Builder windows = TokenWindows.builder().setCorpus(corpus);
            config.optOptimizer(AdamW.builder(model.getBlock()).build());
            try (Trainer trainer = model.newTrainer(config)) {
                Dataset data = windows.setBatch(8).setLength(256).buildTraining();
                EasyTrain.fit(trainer, 1, data, null);
            }
            model.save(tuned, "griffin");
        }
        // end
        try (Pretrained original = ModelReference.of("griffin").open(Device.cpu(), 0);
                Pretrained loaded = Pretrained.load(tuned, Device.cpu())) {
            String name = "embedding.weight";
            assertThat(SizedBlock.parametersOf(loaded.model()).get(name).getArray())
                    .isNotEqualTo(SizedBlock.parametersOf(original.model()).get(name).getArray());
        }
    }

    @Test
    void readmeShowsTheExamples() throws Exception {
        Path source =
                ROOT.resolve("src/test/java")
                        .resolve(getClass().getName().replace('.', '/') + ".java");
        List<String> lines = Files.readAllLines(source);
        List<String> readme = Files.readAllLines(ROOT.resolve("README.md"));
        String example = between(lines, "// example", "// end");
        assertThat(between(readme, "```java", "```"))
                .isEqualTo(example.replace("out.println", "System.out.println"));
        List<String> training = readme.subList(readme.indexOf("## Training"), readme.size());
        assertThat(between(training, "```java", "```"))
                .isEqualTo(between(lines, "// fine-tuning", "// end"));
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
