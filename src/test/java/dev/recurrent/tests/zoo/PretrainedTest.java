package dev.recurrent.tests.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.checkpoint.TensorSlices;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.config.SpecialTokens;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import dev.recurrent.zoo.weights.WeightLoader;
import java.io.IOException;
import java.nio.IntBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class PretrainedTest {

    @TempDir private Path folder;

    static List<String> models() {
        return Conformance.models();
    }

    static Stream<String> entries() {
        return Presets.all().stream().map(Preset::artifactId).distinct();
    }

    /** What we save are the bytes that upstream saved, under the same names. */
    @ParameterizedTest
    @MethodSource("models")
    void savesWhatItLoaded(String name) throws IOException, MalformedModelException {
        try (Pretrained pretrained = Pretrained.load(ZooCases.folder(name), Device.cpu())) {
            pretrained.save(folder, ScalarType.FLOAT32);
        }
        try (NDManager manager = NDManager.newBaseManager();
                Checkpoint upstream = Checkpoint.open(ZooCases.folder(name));
                Checkpoint ours = Checkpoint.open(folder)) {
            assertThat(ours.tensors().keySet()).isEqualTo(upstream.tensors().keySet());
            assertThat(ours.metadata()).isEqualTo(upstream.metadata());
            for (String tensor : upstream.tensors().keySet()) {
                assertThat(bits(ours.load(manager, tensor)))
                        .as(tensor)
                        .isEqualTo(bits(upstream.load(manager, tensor)));
            }
        }
        assertThat(HubConfig.read(folder.resolve("config.json")).model())
                .isEqualTo(HubConfig.read(ZooCases.config(name)).model());
    }

    @ParameterizedTest
    @MethodSource("entries")
    void loadsWhatItSaved(String entry) throws IOException, MalformedModelException {
        HubConfig config = Presets.find(entry, Preset.TINY).orElseThrow().config();
        try (Pretrained made = Pretrained.create(config, Device.cpu(), 5)) {
            made.save(folder, ScalarType.FLOAT32, 1_000_000);
            assertThat(folder.resolve(Checkpoint.INDEX_FILE)).exists();
            try (Pretrained loaded = Pretrained.load(folder, Device.cpu())) {
                assertThat(loaded.config().model()).isEqualTo(config.model());
                assertThat(values(loaded.model())).isEqualTo(values(made.model()));
            }
        }
    }

    @Test
    void savesInOtherTypes() throws IOException, MalformedModelException {
        try (Pretrained made = create("hawk", 1)) {
            made.save(folder, ScalarType.BFLOAT16);
        }
        JsonObject json =
                JsonParser.parseString(Files.readString(folder.resolve("config.json")))
                        .getAsJsonObject();
        assertThat(json.get("torch_dtype").getAsString()).isEqualTo("bfloat16");
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.tensors().values())
                    .allMatch(info -> info.type() == ScalarType.BFLOAT16);
        }
        // Widened and narrowed again, the bits are the same.
        Path second = folder.resolve("second");
        try (Pretrained loaded = Pretrained.load(folder, Device.cpu())) {
            assertThat(loaded.model().isInitialized()).isTrue();
            loaded.save(second, ScalarType.BFLOAT16);
        }
        assertThat(second.resolve(Checkpoint.MODEL_FILE))
                .hasSameBinaryContentAs(folder.resolve(Checkpoint.MODEL_FILE));
    }

    @Test
    void drawsTheSameWeightsFromTheSameSeed() {
        try (Pretrained one = create("gated-deltanet", 7);
                Pretrained same = create("gated-deltanet", 7);
                Pretrained other = create("gated-deltanet", 8)) {
            Map<String, IntBuffer> values = values(one.model());
            assertThat(values(same.model())).isEqualTo(values);
            assertThat(values(other.model()).get("embedding.weight"))
                    .isNotEqualTo(values.get("embedding.weight"));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void newWeightsCanStartInAnotherWay(boolean fromFolder) throws Exception {
        ModelReference reference = ModelReference.of("mqa-transformer");
        if (fromFolder) {
            try (Pretrained saved = create("mqa-transformer", 1)) {
                saved.save(folder, ScalarType.FLOAT32);
            }
            reference = ModelReference.folder(folder);
        }
        try (Pretrained made =
                reference.create(Device.cpu(), 1, layers -> Initialization.gpt2(0.02, layers))) {
            int layers = made.model().layers().size();
            NDArray output =
                    SizedBlock.parametersOf(made.model())
                            .get("layers.0.mixer.o_proj.weight")
                            .getArray();
            double deviation = Math.sqrt(output.square().mean().getFloat());
            // Thousands of draws tell it to a percent or two.
            assertThat(deviation)
                    .isCloseTo(0.02 / Math.sqrt(2.0 * layers), Percentage.withPercentage(6));
        }
    }

    @Test
    void readsBytesUnlessAFolderSaysOtherwise() {
        try (Pretrained made = create("mamba2", 1)) {
            assertThat(made.tokenizer().encode("aé")).containsExactly(97, 0xc3, 0xa9);
        }
    }

    /** A model for synthetic tasks needs no tokenizer. */
    @Test
    void needsNoTokenizer() throws Exception {
        JsonObject json = ZooCases.json("delta_net");
        json.addProperty("vocab_size", 16);
        HubConfig config = HubConfig.parse("small", HubConfig.toText(json));
        try (Pretrained made = Pretrained.create(config, Device.cpu(), 1)) {
            made.save(folder, ScalarType.FLOAT32);
        }
        try (Pretrained loaded = Pretrained.load(folder, Device.cpu())) {
            assertThatThrownBy(loaded::tokenizer)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("vocabulary of 16 is too small for bytes");
        }
    }

    @Test
    void refusesATokenizerOfMoreIdsThanTheVocabulary() throws Exception {
        copy("delta_net");
        Files.writeString(
                folder.resolve("tokenizer.json"),
                """
                {"version": "1.0", "truncation": null, "padding": null, "normalizer": null,
                 "pre_tokenizer": null, "post_processor": null, "decoder": null,
                 "added_tokens": [{"id": 400, "content": "<x>", "single_word": false,
                  "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
                 "model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0, "b": 1}}}
                """);
        assertThatThrownBy(() -> Pretrained.load(folder, Device.cpu()))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("tokenizer.json")
                .hasMessageContaining("400")
                .hasMessageContaining("320");
    }

    @Test
    void copiesTheTokenizer() throws Exception {
        copy("delta_net");
        Files.write(folder.resolve("tokenizer.model"), new byte[] {(byte) 0xff, 0, 7});
        Files.writeString(folder.resolve("tokenizer_config.json"), "{}");
        Path target = folder.resolve("saved");
        try (Pretrained pretrained = Pretrained.load(folder, Device.cpu())) {
            pretrained.save(target, ScalarType.FLOAT32);
            pretrained.save(folder, ScalarType.FLOAT32);
        }
        assertThat(target.resolve("tokenizer.model"))
                .hasSameBinaryContentAs(folder.resolve("tokenizer.model"));
        assertThat(target.resolve("tokenizer_config.json")).hasContent("{}");
    }

    @Test
    void saysWhichFileIsMissing() {
        assertThatThrownBy(() -> Pretrained.load(folder, Device.cpu()))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("config.json");
    }

    /** Everything that is wrong at once, and nothing of it in the model. */
    @Test
    void listsAllDifferencesAndChangesNothing() throws Exception {
        HubConfig config = Presets.find("delta-net", Preset.TINY).orElseThrow().config();
        try (Pretrained made = create("delta-net", 1);
                NDManager manager = made.manager().newSubManager()) {
            Map<String, IntBuffer> before = values(made.model());
            made.save(folder, ScalarType.FLOAT32);
            rewrite(
                    tensors -> {
                        tensors.remove("model.norm.weight");
                        tensors.remove("model.layers.3.attn.k_proj.weight");
                        tensors.put("model.rotary.inv_freq", manager.ones(new Shape(4)));
                        tensors.put("lm_head.weight", manager.ones(new Shape(256, 64)));
                        tensors.put(
                                "model.layers.0.attn.b_proj.weight",
                                manager.ones(new Shape(2, 128), DataType.INT32));
                    });
            try (Checkpoint checkpoint = Checkpoint.open(folder)) {
                WeightLoader loader = new WeightLoader(made.model(), config.names());
                assertThatThrownBy(() -> loader.load(checkpoint, manager))
                        .isInstanceOf(CheckpointException.class)
                        .hasMessageContaining(
                                "missing (2): model.layers.3.attn.k_proj.weight, model.norm.weight")
                        .hasMessageContaining("unexpected (1): model.rotary.inv_freq")
                        .hasMessageContaining("lm_head.weight is (256, 64), not (256, 128)")
                        .hasMessageContaining(
                                "model.layers.0.attn.b_proj.weight is INT32, not floating-point");
            }
            assertThat(values(made.model())).isEqualTo(before);
        }
    }

    @Test
    void leavesAnEmptyModelEmptyWhenReadingFails() throws Exception {
        try (Pretrained made = create("delta-net", 1);
                NDManager manager = made.manager().newSubManager()) {
            made.save(folder, ScalarType.FLOAT32);
            LanguageModel fresh = new LanguageModel(made.config().model());
            Path file = folder.resolve(Checkpoint.MODEL_FILE);
            try (Checkpoint checkpoint = Checkpoint.open(folder)) {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.truncate(Files.size(file) / 2);
                }
                WeightLoader fill = new WeightLoader(fresh, made.config().names());
                assertThatThrownBy(() -> fill.load(checkpoint, manager))
                        .isInstanceOf(CheckpointException.class);
                Map<String, IntBuffer> before = values(made.model());
                WeightLoader overwrite = new WeightLoader(made.model(), made.config().names());
                assertThatThrownBy(() -> overwrite.load(checkpoint, manager))
                        .isInstanceOf(CheckpointException.class);
                assertThat(values(made.model())).isEqualTo(before);
            }
            assertThat(SizedBlock.parametersOf(fresh).values()).noneMatch(Parameter::isInitialized);
        }
    }

    @Test
    void overwritesWeightsInPlace() throws Exception {
        try (Pretrained source = create("griffin", 1);
                Pretrained target = create("griffin", 2)) {
            source.save(folder, ScalarType.FLOAT32);
            NDArray embedding =
                    SizedBlock.parametersOf(target.model()).get("embedding.weight").getArray();
            try (Checkpoint checkpoint = Checkpoint.open(folder)) {
                new WeightLoader(target.model(), target.config().names())
                        .load(checkpoint, target.manager());
            }
            assertThat(values(target.model())).isEqualTo(values(source.model()));
            assertThat(SizedBlock.parametersOf(target.model()).get("embedding.weight").getArray())
                    .isSameAs(embedding);
            assertThat(embedding.hasGradient()).isTrue();
        }
    }

    /** The layout of files before February 2025. */
    @Test
    void readsFusedGates() throws Exception {
        try (Pretrained made = create("gated-deltanet", 3);
                NDManager manager = made.manager().newSubManager()) {
            made.save(folder, ScalarType.FLOAT32);
            rewrite(
                    tensors -> {
                        for (int i = 0; i < 4; i++) {
                            String mlp = "model.layers." + i + ".mlp.";
                            NDArray gate = tensors.get(mlp + "gate_proj.weight");
                            NDArray up = tensors.remove(mlp + "up_proj.weight");
                            tensors.put(mlp + "gate_proj.weight", gate.concat(up));
                            tensors.put(
                                    "model.layers." + i + ".attn.D", manager.ones(new Shape(2)));
                        }
                    });
            try (Pretrained loaded = Pretrained.load(folder, Device.cpu())) {
                assertThat(values(loaded.model())).isEqualTo(values(made.model()));
            }
        }
    }

    private void rewrite(Consumer<Map<String, NDArray>> edit) throws Exception {
        try (NDManager manager = Engine.getEngine("PyTorch").newBaseManager(Device.cpu())) {
            Map<String, NDArray> tensors = new LinkedHashMap<>();
            try (Checkpoint checkpoint = Checkpoint.open(folder)) {
                for (String name : checkpoint.tensors().keySet()) {
                    tensors.put(name, checkpoint.load(manager, name));
                }
            }
            edit.accept(tensors);
            Map<String, TensorSlices> slices = new LinkedHashMap<>();
            tensors.forEach((name, tensor) -> slices.put(name, TensorSlices.of(tensor)));
            new CheckpointWriter(ScalarType.FLOAT32).write(folder, slices);
        }
    }

    private void copy(String name) throws IOException {
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(ZooCases.folder(name).resolve(file), folder.resolve(file));
        }
    }

    private static Pretrained create(String entry, long seed) {
        HubConfig config = Presets.find(entry, Preset.TINY).orElseThrow().config();
        assertThat(config.tokens()).isEqualTo(SpecialTokens.NONE);
        return Pretrained.create(config, Device.cpu(), seed);
    }

    private static Map<String, IntBuffer> values(LanguageModel model) {
        Map<String, IntBuffer> values = new LinkedHashMap<>();
        SizedBlock.parametersOf(model)
                .forEach((name, parameter) -> values.put(name, bits(parameter.getArray())));
        return values;
    }

    private static IntBuffer bits(NDArray array) {
        float[] floats = array.toFloatArray();
        int[] bits = new int[floats.length];
        for (int i = 0; i < floats.length; i++) {
            bits[i] = Float.floatToRawIntBits(floats[i]);
        }
        // Compares by its elements and prints itself briefly.
        return IntBuffer.wrap(bits);
    }
}
