package dev.recurrent.tests.training.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import dev.recurrent.tests.support.ForkedJvm;
import dev.recurrent.training.DivergenceException;
import dev.recurrent.training.lora.LoraAdapters;
import dev.recurrent.training.lora.LoraConfig;
import dev.recurrent.training.report.RunMetrics;
import dev.recurrent.training.run.InvalidRunException;
import dev.recurrent.training.run.RunConfig;
import dev.recurrent.training.run.RunResult;
import dev.recurrent.training.run.RunSetting;
import dev.recurrent.training.run.TrainingRun;
import dev.recurrent.zoo.Pretrained;
import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A run's folder: what is in it, how it is resumed, and what is refused. */
class TrainingRunTest {

    private static final List<String> STATE =
            List.of("model.safetensors", "optimizer.safetensors", "trainer.json");

    @TempDir Path folder;
    private Path text;

    @BeforeEach
    void write() throws Exception {
        text = RunCase.text(folder);
    }

    private RunResult train(RunConfig config, String name, boolean resume) throws Exception {
        return RunCase.train(config, folder.resolve(name), resume, line -> {});
    }

    private Path checkpoint(String run, int step) {
        return folder.resolve(run).resolve(String.format("checkpoints/step-%08d", step));
    }

    @Test
    void leavesAModelAndAllThatLedToIt() throws Exception {
        List<String> lines = new ArrayList<>();
        RunResult result =
                RunCase.train(RunCase.config(text), folder.resolve("run"), false, lines::add);
        assertThat(result.finished()).isTrue();
        assertThat(result.steps()).isEqualTo(RunCase.STEPS);
        assertThat(lines).anyMatch(line -> line.startsWith("step 12/12: loss "));
        RunMetrics metrics = RunMetrics.read(folder.resolve("run/metrics.jsonl"));
        assertThat(metrics.training()).hasSize(RunCase.STEPS);
        assertThat(metrics.validation()).extracting("step").containsExactly(4L, 8L, 12L);
        assertThat(result.validationLoss()).isEqualTo(metrics.validation().get(2).loss());
        assertThat(result.bestLoss())
                .isEqualTo(
                        metrics.validation().stream()
                                .mapToDouble(RunMetrics.Validation::loss)
                                .min()
                                .orElseThrow());
        assertThat(folder.resolve("run/loss.svg")).content().contains("<svg");
        assertThat(RunConfig.of(RunConfig.read(folder.resolve("run/run.properties"))).values())
                .isEqualTo(RunCase.config(text).values());
        try (Pretrained model = Pretrained.load(result.model(), Device.cpu())) {
            assertThat(model.config().modelType()).isEqualTo("gated_deltanet");
        }
        assertThat(result.model().resolve("serving.properties")).exists();
    }

    /** The second run is halted after a checkpoint, in a process of its own, and resumed here. */
    @Test
    void resumesToTheLastBit() throws Exception {
        train(RunCase.config(text), "whole", false);
        ForkedJvm.Result halted =
                ForkedJvm.run(
                        List.of(),
                        Halted.class,
                        text.toString(),
                        folder.resolve("parts").toString());
        assertThat(halted.exit()).as(halted.output()).isEqualTo(9);
        assertThat(checkpoint("parts", 5)).exists();
        RunResult result = train(TrainingRun.configOf(folder.resolve("parts")), "parts", true);
        assertThat(result.steps()).isEqualTo(RunCase.STEPS);
        for (String file : STATE) {
            assertThat(Files.readAllBytes(checkpoint("parts", 12).resolve(file)))
                    .as(file)
                    .isEqualTo(Files.readAllBytes(checkpoint("whole", 12).resolve(file)));
        }
        assertThat(losses("parts")).isEqualTo(losses("whole"));
    }

    private List<Double> losses(String run) throws Exception {
        return RunMetrics.read(folder.resolve(run).resolve("metrics.jsonl")).training().stream()
                .map(RunMetrics.Training::loss)
                .toList();
    }

    /** Ends without any clean-up between the checkpoint of step 5 and that of step 10. */
    static final class Halted {

        private Halted() {}

        public static void main(String[] arguments) throws Exception {
            RunCase.train(
                    RunCase.config(Path.of(arguments[0])),
                    Path.of(arguments[1]),
                    false,
                    line -> {
                        if (line.startsWith("step 8/12: validation")) {
                            Runtime.getRuntime().halt(9);
                        }
                    });
        }
    }

    @Test
    void resumesWhatStoppedBeforeItsFirstCheckpoint() throws Exception {
        Path run = folder.resolve("run");
        train(RunCase.config(text, RunSetting.STEPS, 2), "run", false);
        try (Stream<Path> saved = Files.walk(run.resolve("checkpoints"))) {
            for (Path path : saved.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
        RunResult result = train(RunCase.config(text, RunSetting.STEPS, 3), "run", true);
        assertThat(result.steps()).isEqualTo(3);
        assertThat(RunMetrics.read(run.resolve("metrics.jsonl")).training()).hasSize(3);
    }

    /** A signal, as Ctrl-C sends one, saves the step that is done. */
    @Test
    @DisabledOnOs(OS.WINDOWS)
    void aSignalSavesAndStops() throws Exception {
        Process process =
                ForkedJvm.start(
                        List.of(),
                        List.of(),
                        Endless.class,
                        text.toString(),
                        folder.resolve("run").toString());
        try (BufferedReader lines = process.inputReader()) {
            String line;
            do {
                line = lines.readLine();
            } while (line != null && !line.startsWith("step 4/"));
            assertThat(line).isNotNull();
            process.toHandle().destroy();
            process.waitFor();
        }
        // 128 + SIGTERM
        assertThat(process.exitValue()).isEqualTo(143);
        try (Stream<Path> saved = Files.list(folder.resolve("run/checkpoints"))) {
            assertThat(saved)
                    .singleElement()
                    .satisfies(path -> assertThat(path.resolve("manifest.json")).exists());
        }
    }

    /** Goes on until it is stopped, and saves only then. */
    static final class Endless {

        private Endless() {}

        public static void main(String[] arguments) throws Exception {
            RunCase.train(
                    RunCase.config(
                            Path.of(arguments[0]),
                            RunSetting.STEPS,
                            100_000,
                            RunSetting.SAVE_EVERY,
                            100_000),
                    Path.of(arguments[1]),
                    false,
                    System.out::println);
        }
    }

    @Test
    void divergenceKeepsTheCheckpoints() {
        RunConfig config =
                RunCase.config(
                        text,
                        RunSetting.LEARNING_RATE,
                        "1e30",
                        RunSetting.WARM_UP,
                        0,
                        RunSetting.SAVE_EVERY,
                        1);
        assertThatThrownBy(() -> train(config, "run", false))
                .isInstanceOf(DivergenceException.class)
                .hasMessageContaining("diverged at step 2")
                .hasMessageContaining("The last checkpoint is")
                .hasMessageContaining("step-00000001");
        assertThat(checkpoint("run", 1)).exists();
        assertThat(checkpoint("run", 2)).doesNotExist();
    }

    @Test
    void adaptersAreTrainedSavedAndMerged() throws Exception {
        RunConfig config = RunCase.config(text, RunSetting.LORA, 2, RunSetting.KEEP, 5);
        RunResult result = train(config, "run", false);
        Path saved = checkpoint("run", 12);
        assertThat(saved.resolve("adapter_model.safetensors")).exists();
        assertThat(saved.resolve("model.safetensors")).doesNotExist();
        assertThat(folder.resolve("run/adapter/adapter_config.json")).exists();
        try (Pretrained merged = Pretrained.load(result.model(), Device.cpu())) {
            assertThat(merged.model().parameterCount()).isBetween(1_050_000L, 1_350_000L);
        }
        long[] adapters = {0};
        try (Pretrained model = Pretrained.load(result.model(), Device.cpu())) {
            LoraAdapters.attach(model.model(), LoraConfig.allLayers(2, 16), 0)
                    .parameters()
                    .values()
                    .forEach(parameter -> adapters[0] += parameter.getShape().size());
        }
        assertThat(new TrainingRun(config, folder, Device.cpu(), line -> {}).plan().trained())
                .isEqualTo(adapters[0]);
        RunConfig longer = RunCase.config(text, RunSetting.LORA, 2, RunSetting.STEPS, 14);
        assertThat(train(longer, "run", true).steps()).isEqualTo(14);
    }

    @ParameterizedTest
    @CsvSource({"BATCH, 3", "LENGTH, 8", "SEED, 1", "TRAIN_FRACTION, 0.8", "DOCUMENTS, true"})
    void theOrderOfTheDataCannotChangeOnResume(RunSetting setting, String value) throws Exception {
        Path run = Files.createDirectory(folder.resolve("run"));
        RunCase.config(text).write(run.resolve("run.properties"));
        assertThatThrownBy(() -> train(RunCase.config(text, setting, value), "run", true))
                .isInstanceOf(InvalidRunException.class)
                .hasMessageContaining(setting.key() + " was ")
                .hasMessageContaining("cannot become " + value);
    }

    @Test
    void aRunGoesOnInAnotherPrecision() throws Exception {
        train(RunCase.config(text, RunSetting.STEPS, 2), "run", false);
        RunConfig half = RunCase.config(text, RunSetting.STEPS, 3, RunSetting.PRECISION, "float16");
        assertThat(train(half, "run", true).steps()).isEqualTo(3);
    }

    @Test
    void runsAreNotMixed() throws Exception {
        RunConfig config = RunCase.config(text, RunSetting.STEPS, 2, RunSetting.EVALUATE_EVERY, 2);
        train(config, "run", false);
        assertThatThrownBy(() -> train(config, "run", false))
                .isInstanceOf(InvalidRunException.class)
                .hasMessageContaining("holds a run already");
        assertThatThrownBy(() -> TrainingRun.configOf(folder))
                .isInstanceOf(InvalidRunException.class)
                .hasMessageContaining("holds no run");
        assertThatThrownBy(() -> train(RunCase.config(text, RunSetting.MODEL, "hawk"), "run", true))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("step-00000002")
                .hasMessageContaining("rg_lru");
        assertThatThrownBy(() -> train(RunCase.config(text, RunSetting.STEPS, 1), "run", true))
                .isInstanceOf(InvalidRunException.class)
                .hasMessageContaining("steps is 1, but 2 are done");
    }

    @ParameterizedTest
    @CsvSource({
        "LEARNING_RATE, NaN, learning-rate must be a number greater than 0",
        "STEPS, 0, steps must be a whole number from 1 on",
        "STEPS, 2.5, steps must be a whole number from 1 on",
        "TRAIN_FRACTION, 1.5, train-fraction must be a number from 0 to 1",
        "RECOMPUTE, yes, recompute must be true or false",
        "PRECISION, fp8, 'precision must be one of auto, full, bfloat16, float16'",
        "CURVE, square, 'curve must be one of cosine, linear, constant'",
        "SEED, 1.5, seed must be a whole number from 0 on",
        "EVALUATE_BATCHES, 1.5, evaluate-batches must be a whole number from 0 on",
        "SAVE_EVERY, -1, save-every must be a whole number from 0 on",
        "BETA1, 1, 'betas must be in [0, 1)'",
        "DROPOUT, 1, 'dropout rate must be in [0, 1)'",
        "ATTENTION_DROPOUT, 1, 'dropout rate must be in [0, 1)'",
        "INITIALIZATION, gpt2, initialization gpt2 needs from-scratch",
        "INITIALIZATION, zeros, 'initialization must be one of upstream, gpt2'",
        "MODEL, griffon, There is no model griffon",
        "PRESET, 9t, There is no size of gated-deltanet 9t",
        "FREEZE, layer.*, No parameter matches 'layer.*'",
        "RATES, norm.weight, is no PATTERN=FACTOR",
        "LENGTH, 5000, tokens to train on",
        "DATA, none.txt, There is no file or folder none.txt",
        "DATA, mqar:64:40, data: MQAR needs",
        "DATA, mqar:1024:200, data: MQAR needs"
    })
    void refusesWhatDoesNotFitBeforeAnythingIsWritten(
            RunSetting setting, String value, String message) {
        assertThatThrownBy(() -> train(RunCase.config(text, setting, value), "run", false))
                .hasMessageContaining(message)
                .isInstanceOfAny(InvalidRunException.class, java.io.IOException.class);
        assertThat(folder.resolve("run")).doesNotExist();
    }
}
