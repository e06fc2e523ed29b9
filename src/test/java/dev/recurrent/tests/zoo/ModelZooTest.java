package dev.recurrent.tests.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.inference.Predictor;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ModelZoo;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.translate.DeferredTranslatorFactory;
import ai.djl.translate.ServingTranslatorFactory;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ModelZooTest {

    @TempDir private Path folder;

    static Stream<String> entries() {
        return Presets.all().stream().map(Preset::artifactId).distinct();
    }

    @ParameterizedTest
    @MethodSource("entries")
    void findsEveryEntry(String entry) throws Exception {
        Criteria<String, String> criteria =
                entry(entry, String.class, String.class)
                        .optFilter("size", "tiny")
                        .optArgument("max_new_tokens", 4)
                        .build();
        assertThat(criteria.isDownloaded()).isTrue();
        try (ZooModel<String, String> model = criteria.loadModel();
                Predictor<String, String> predictor = model.newPredictor()) {
            assertThat(((LanguageModel) model.getBlock()).config())
                    .isEqualTo(Presets.find(entry, Preset.TINY).orElseThrow().model());
            assertThat(predictor.predict("The river")).isNotEmpty();
        }
    }

    @Test
    void listsItsModels() throws IOException, ModelNotFoundException {
        assertThat(ModelZoo.hasModelZoo("dev.recurrent")).isTrue();
        assertThat(ModelZoo.listModels().values().stream().flatMap(list -> list.stream()))
                .filteredOn(mrl -> mrl.getGroupId().equals("dev.recurrent"))
                .hasSize(10);
        assertThat(ModelZoo.getModelZoo("dev.recurrent").getModelLoader("griffin").toString())
                .contains("tiny", "recurrentgemma-2b");
    }

    /** A size that this jar holds no weights of. */
    private static Criteria.Builder<NDList, NDList> untrained() {
        return entry("hawk", NDList.class, NDList.class).optFilter("size", "10m");
    }

    @Test
    void drawsWeightsFromTheSeed() throws Exception {
        NDList zero = logits(untrained().build());
        NDList same = logits(untrained().optOption("seed", "0").build());
        NDList other = logits(untrained().optOption("seed", "1").build());
        assertThat(same.singletonOrThrow()).isEqualTo(zero.singletonOrThrow());
        assertThat(other.singletonOrThrow()).isNotEqualTo(zero.singletonOrThrow());
        assertThatThrownBy(() -> untrained().optOption("seed", "x").build().loadModel())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("seed");
    }

    @Test
    void saysWhatItHas() {
        assertThatThrownBy(
                        () ->
                                entry("mamba2", String.class, String.class)
                                        .optFilter("size", "9t")
                                        .build()
                                        .loadModel())
                .isInstanceOf(ModelNotFoundException.class)
                .hasStackTraceContaining("9t")
                .hasStackTraceContaining("[tiny, recall, recall-bytes, 340m, 1.3b]");
        assertThatThrownBy(() -> entry("mamba2", Integer.class, String.class).build().loadModel())
                .isInstanceOf(ModelNotFoundException.class);
        assertThatThrownBy(() -> entry("mamba3", String.class, String.class).build().loadModel())
                .isInstanceOf(ModelNotFoundException.class);
    }

    /**
     * One folder for Criteria, whose way to take a translator from the folder is the deferred
     * factory, and for DJL Serving, with the factory that it sets.
     */
    @Test
    void loadsASavedFolderByPath() throws Exception {
        try (Pretrained made =
                Pretrained.create(
                        Presets.find("gated-deltanet-h2", Preset.TINY).orElseThrow().config(),
                        Device.cpu(),
                        11)) {
            made.save(folder, ScalarType.FLOAT32);
        }
        NDList expected = logits(path(NDList.class, NDList.class).build());
        assertThat(expected.singletonOrThrow().getShape()).isEqualTo(new Shape(1, 5, 256));
        String text;
        try (ZooModel<String, String> model =
                        path(String.class, String.class)
                                .optTranslatorFactory(new DeferredTranslatorFactory())
                                .build()
                                .loadModel();
                Predictor<String, String> predictor = model.newPredictor()) {
            text = predictor.predict("The river");
        }
        try (ZooModel<Input, Output> model =
                        path(Input.class, Output.class)
                                .optTranslatorFactory(new ServingTranslatorFactory())
                                .build()
                                .loadModel();
                Predictor<Input, Output> predictor = model.newPredictor()) {
            Input input = new Input();
            input.add("The river");
            Output output = predictor.predict(input);
            assertThat(output.getCode()).isEqualTo(200);
            assertThat(output.getData().getAsString()).contains("generated_text");
        }
        assertThat(text).isNotEmpty();
    }

    /** What is loaded by path does not ask for gradients until a trainer does. */
    @Test
    void trainsWhatItLoadedByPath() throws Exception {
        try (Pretrained made =
                Pretrained.create(
                        Presets.find("delta-net", Preset.TINY).orElseThrow().config(),
                        Device.cpu(),
                        1)) {
            made.save(folder, ScalarType.FLOAT32);
        }
        try (ZooModel<NDList, NDList> model =
                path(NDList.class, NDList.class).build().loadModel()) {
            assertThat(SizedBlock.parametersOf(model.getBlock()).values())
                    .noneMatch(Parameter::requiresGradient);
            try (Trainer trainer =
                    model.newTrainer(new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss()))) {
                trainer.initialize(new Shape(1, 4));
                assertThat(SizedBlock.parametersOf(model.getBlock()).values())
                        .allMatch(Parameter::requiresGradient);
            }
        }
    }

    @Test
    void saysWhatIsWrongWithAFolder() throws Exception {
        try (Pretrained made =
                Pretrained.create(
                        Presets.find("delta-net", Preset.TINY).orElseThrow().config(),
                        Device.cpu(),
                        1)) {
            made.save(folder, ScalarType.FLOAT32);
        }
        Path config = folder.resolve("config.json");
        Files.writeString(config, Files.readString(config).replace("\"swish\"", "\"tanh\""));
        assertThatThrownBy(() -> path(NDList.class, NDList.class).build().loadModel())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("hidden_act is \"tanh\"")
                .hasCauseInstanceOf(MalformedModelException.class);
    }

    private static <I, O> Criteria.Builder<I, O> entry(
            String artifactId, Class<I> input, Class<O> output) {
        return Criteria.builder()
                .setTypes(input, output)
                .optGroupId("dev.recurrent")
                .optArtifactId(artifactId)
                .optDevice(Device.cpu());
    }

    private <I, O> Criteria.Builder<I, O> path(Class<I> input, Class<O> output) {
        return Criteria.builder()
                .setTypes(input, output)
                .optModelPath(folder)
                .optArgument("max_new_tokens", 4)
                .optDevice(Device.cpu());
    }

    private static NDList logits(Criteria<NDList, NDList> criteria) throws Exception {
        try (ZooModel<NDList, NDList> model = criteria.loadModel();
                Predictor<NDList, NDList> predictor = model.newPredictor()) {
            NDManager manager = NDManager.newBaseManager(Device.cpu());
            NDArray ids = manager.arange(65, 70, 1, DataType.INT64).expandDims(0);
            NDList logits = predictor.predict(new NDList(ids));
            logits.attach(manager);
            return logits;
        }
    }
}
