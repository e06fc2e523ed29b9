package dev.recurrent.tests.training.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.lora.LoraAdapters;
import dev.recurrent.training.lora.LoraConfig;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.checkpoint.TensorInfo;
import dev.recurrent.zoo.checkpoint.TensorSlices;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters as files that PEFT writes and reads, over a model whose q, k and v are one here. */
class PeftFilesTest {

    private static final String WEIGHTS = "adapter_model.safetensors";
    private static final String CONFIG = "adapter_config.json";
    private static final String ATTENTION = "base_model.model.model.layers.0.attn.";

    /** Sums of few fp32 products in another order. */
    private static final double ROUNDING = 1e-5;

    @TempDir private Path folder;
    private Pretrained opened;
    private LanguageModel model;
    private NDManager manager;

    @BeforeEach
    void open() throws Exception {
        opened = LoraCase.open("delta_net");
        model = opened.model();
        manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
    }

    @AfterEach
    void close() {
        manager.close();
        opened.close();
    }

    private LoraAdapters attach(int rank, double alpha, String... targets) {
        LoraConfig config = new LoraConfig(rank, alpha, List.of(targets));
        LoraAdapters adapters = LoraAdapters.attach(model, config, 1);
        LoraCase.train(adapters);
        return adapters;
    }

    private LoraAdapters load() throws Exception {
        return LoraAdapters.load(model, opened.config(), folder);
    }

    @Test
    void namesTensorsAsPeftDoes() throws Exception {
        LoraAdapters adapters = attach(3, 6, "layers.0.mixer.qkv_proj", "layers.1.mlp.down_proj");
        adapters.save(folder, opened.config());
        NDArray qkv = adapters.parameters().get("layers.0.mixer.qkv_proj.lora.B").getArray();
        try (Checkpoint file = Checkpoint.open(folder.resolve(WEIGHTS))) {
            Map<String, Shape> shapes = new LinkedHashMap<>();
            file.tensors().values().stream()
                    .filter(info -> info.name().startsWith(ATTENTION))
                    .forEach(info -> shapes.put(info.name(), info.shape()));
            long width = model.config().width();
            long rows = qkv.getShape().get(0) / 3;
            Map<String, Shape> expected = new LinkedHashMap<>();
            for (String part : List.of("k", "q", "v")) {
                expected.put(ATTENTION + part + "_proj.lora_A.weight", new Shape(3, width));
                expected.put(ATTENTION + part + "_proj.lora_B.weight", new Shape(rows, 3));
            }
            assertThat(shapes).containsExactlyEntriesOf(expected);
            assertThat(file.tensors())
                    .hasSize(8)
                    .containsKey("base_model.model.model.layers.1.mlp.down_proj.lora_A.weight");
            assertThat(file.load(manager, ATTENTION + "v_proj.lora_B.weight").toFloatArray())
                    .isEqualTo(qkv.get(2 * rows + ":").toFloatArray());
        }
        JsonObject json = json();
        assertThat(json.get("peft_type").getAsString()).isEqualTo("LORA");
        assertThat(json.get("task_type").getAsString()).isEqualTo("CAUSAL_LM");
        assertThat(json.get("r").toString()).isEqualTo("3");
        assertThat(json.get("lora_alpha").toString()).isEqualTo("6");
        assertThat(json.getAsJsonObject("auto_mapping").get("base_model_class").getAsString())
                .isEqualTo("DeltaNetForCausalLM");
        assertThat(json.getAsJsonArray("target_modules").toString())
                .isEqualTo(
                        "[\"model.layers.0.attn.q_proj\",\"model.layers.0.attn.k_proj\","
                            + "\"model.layers.0.attn.v_proj\",\"model.layers.1.mlp.down_proj\"]");
    }

    /** Upstream's three adapters, two of them trained apart and one not at all, in bf16. */
    @Test
    void joinsAdaptersThatAreApartUpstream() throws Exception {
        attach(2, 3, "layers.0.mixer").save(folder, opened.config());
        Map<String, NDArray> tensors = tensors();
        tensors.keySet().removeIf(name -> name.startsWith(ATTENTION + "k_proj"));
        NDArray a = tensors.get(ATTENTION + "v_proj.lora_A.weight");
        tensors.put(
                ATTENTION + "v_proj.lora_A.weight",
                Tensors.normal(manager, 9, a.getShape().getShape()));
        write(tensors, ScalarType.BFLOAT16);
        tensors = tensors();
        detached();

        LoraAdapters joined = load();
        assertThat(joined.config().rank()).isEqualTo(4);
        assertThat(joined.config().scale()).isEqualTo(1.5);
        NDArray update = update(joined, "layers.0.mixer.qkv_proj");
        long rows = update.getShape().get(0) / 3;
        Tensors.assertClose("q", update.get(":" + rows), product(tensors, "q_proj"), ROUNDING);
        assertThat(update.get(rows + ":" + 2 * rows).abs().max().getFloat()).isZero();
        Tensors.assertClose("v", update.get(2 * rows + ":"), product(tensors, "v_proj"), ROUNDING);
        Tensors.assertClose(
                "o", update(joined, "layers.0.mixer.o_proj"), product(tensors, "o_proj"), ROUNDING);

        Map<String, float[]> values = LoraCase.values(model);
        joined.save(folder.resolve("again"), opened.config());
        joined.detach();
        LoraAdapters.load(model, opened.config(), folder.resolve("again"));
        assertThat(LoraCase.values(model)).containsExactlyEntriesOf(values);
    }

    /** B·A, [out, in]. */
    private static NDArray update(LoraAdapters adapters, String path) {
        NDArray a = adapters.parameters().get(path + ".lora.A").getArray();
        return adapters.parameters().get(path + ".lora.B").getArray().matMul(a);
    }

    private static NDArray product(Map<String, NDArray> tensors, String module) {
        return tensors.get(ATTENTION + module + ".lora_B.weight")
                .matMul(tensors.get(ATTENTION + module + ".lora_A.weight"));
    }

    @Test
    void replacesWhatWasThere() throws Exception {
        attach(2, 2, "**.o_proj").save(folder, opened.config());
        detached();
        LoraAdapters other = attach(2, 4, "**.o_proj");
        other.save(folder, opened.config());
        other.save(folder, opened.config());
        assertThat(folder).isDirectoryContaining("glob:**.safetensors");
        try (var files = Files.list(folder)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder(WEIGHTS, CONFIG);
        }
        other.detach();
        assertThat(load().config().alpha()).isEqualTo(4);
    }

    @Test
    void failsLoudlyWhereItCannotSave() throws Exception {
        LoraAdapters adapters = attach(2, 2, "**.o_proj");
        Path file = Files.createFile(folder.resolve("file"));
        assertThatThrownBy(() -> adapters.save(file, opened.config()))
                .isInstanceOf(CheckpointSaveException.class);
        try (Pretrained griffin = LoraCase.open("recurrent_gemma_griffin")) {
            assertThatThrownBy(() -> adapters.save(folder, griffin.config()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("not that of their model");
        }
    }

    @Test
    void listsAllThatDoesNotFit() throws Exception {
        attach(2, 2, "layers.0.mixer").save(folder, opened.config());
        detached();
        Map<String, NDArray> tensors = tensors();
        tensors.remove(ATTENTION + "q_proj.lora_A.weight");
        tensors.put(ATTENTION + "k_proj.lora_A.weight", manager.ones(new Shape(3, 4)));
        tensors.put(ATTENTION + "x_proj.lora_A.weight", manager.ones(new Shape(2, 4)));
        write(tensors, ScalarType.FLOAT32);
        JsonObject json = json();
        json.addProperty("use_dora", true);
        json.addProperty("bias", "all");
        Files.writeString(folder.resolve(CONFIG), json.toString());
        assertRefused()
                .hasMessageContaining("use_dora is true, which is not supported")
                .hasMessageContaining("bias is \"all\"; it must be \"none\"")
                .hasMessageContaining(ATTENTION + "q_proj.lora_A.weight is missing")
                .hasMessageContaining(ATTENTION + "k_proj.lora_A.weight is (3, 4), not (2, ")
                .hasMessageContaining("of no projection: " + ATTENTION + "x_proj.lora_A.weight");
    }

    @Test
    void refusesAnotherModelsAdapters() throws Exception {
        try (Pretrained griffin = LoraCase.open("recurrent_gemma_griffin")) {
            LoraAdapters.attach(griffin.model(), LoraConfig.allLayers(2, 2), 1)
                    .save(folder, griffin.config());
        }
        assertRefused()
                .hasMessageContaining(
                        "base_model_class is \"RecurrentGemmaForCausalLM\"; it must be"
                                + " \"DeltaNetForCausalLM\"");
    }

    @Test
    void refusesMalformedFiles() throws Exception {
        assertThatThrownBy(this::load).isInstanceOf(NoSuchFileException.class);
        attach(2, 2, "layers.0.mixer").save(folder, opened.config());
        detached();
        JsonObject json = json();
        for (String rank : List.of("0", "1.5", "1e12", "\"2\"", "null")) {
            json.add("r", JsonParser.parseString(rank));
            Files.writeString(folder.resolve(CONFIG), json.toString());
            assertRefused().hasMessageContaining("; it must be a whole number >= 1");
        }
        json.addProperty("r", 3);
        Files.writeString(folder.resolve(CONFIG), json.toString());
        assertRefused().hasMessageContaining("lora_A.weight is (2, ").hasMessageContaining("(3, ");
        for (String text : List.of("", "[]", "{", "{\"r\": 2}", "\u0000")) {
            Files.writeString(folder.resolve(CONFIG), text);
            assertRefused();
        }
        Files.write(folder.resolve(CONFIG), new byte[] {(byte) 0xff, (byte) 0xfe});
        assertRefused().hasMessageContaining("UTF-8");
        json.addProperty("r", 2);
        Files.writeString(folder.resolve(CONFIG), json.toString());
        write(Map.of(), ScalarType.FLOAT32);
        assertRefused().hasMessageContaining("no adapter of any projection");
        Files.delete(folder.resolve(WEIGHTS));
        assertThatThrownBy(this::load).isInstanceOf(NoSuchFileException.class);
    }

    private AbstractThrowableAssert<?, ? extends Throwable> assertRefused() {
        var refusal = assertThatThrownBy(this::load).isInstanceOf(CheckpointException.class);
        assertThat(SizedBlock.parametersOf(model).keySet())
                .noneMatch(path -> path.contains("lora"));
        return refusal;
    }

    private void detached() {
        SizedBlock.projectionsOf(model).values().forEach(projection -> projection.detach());
    }

    private Map<String, NDArray> tensors() throws Exception {
        Map<String, NDArray> tensors = new LinkedHashMap<>();
        try (Checkpoint file = Checkpoint.open(folder.resolve(WEIGHTS))) {
            for (TensorInfo info : file.tensors().values()) {
                tensors.put(info.name(), file.load(manager, info.name()));
            }
        }
        return tensors;
    }

    private void write(Map<String, NDArray> tensors, ScalarType type) throws IOException {
        Map<String, TensorSlices> slices = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> slices.put(name, TensorSlices.of(tensor)));
        new CheckpointWriter(type).writeFile(folder.resolve(WEIGHTS), slices);
    }

    private JsonObject json() throws IOException {
        return JsonParser.parseString(Files.readString(folder.resolve(CONFIG))).getAsJsonObject();
    }
}
