package dev.recurrent.tests.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.checkpoint.TensorSlices;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointWriterTest {

    @TempDir Path folder;

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void close() {
        manager.close();
    }

    private Map<String, TensorSlices> three() {
        Map<String, TensorSlices> tensors = new TreeMap<>();
        for (String name : List.of("a", "b", "c")) {
            tensors.put(name, TensorSlices.of(Tensors.normal(manager, name.hashCode(), 5, 7)));
        }
        return tensors;
    }

    private List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private void assertHolds(Map<String, TensorSlices> tensors) throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.metadata()).isEqualTo(Map.of("format", "pt"));
            assertThat(checkpoint.tensors().keySet()).isEqualTo(tensors.keySet());
            for (String name : tensors.keySet()) {
                assertThat(checkpoint.load(manager, name).toByteArray())
                        .as(name)
                        .isEqualTo(tensors.get(name).parts().get(0).toByteArray());
            }
        }
    }

    @Test
    void float32ComesBackBitForBit() throws Exception {
        int[] bits = {0, 1, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001, -1, 0x3f};
        ByteBuffer odd = ByteBuffer.allocateDirect(4 * bits.length).order(ByteOrder.nativeOrder());
        Arrays.stream(bits).forEach(odd::putInt);
        Map<String, TensorSlices> tensors = three();
        NDArray special = manager.create(odd.flip(), new Shape(bits.length), DataType.FLOAT32);
        tensors.put("special", TensorSlices.of(special));
        tensors.put("scalar", TensorSlices.of(manager.create(3f)));
        tensors.put("empty", TensorSlices.of(manager.zeros(new Shape(0, 4))));
        // Several pieces, and a length that no piece divides.
        tensors.put("long", TensorSlices.of(Tensors.normal(manager, 1, 1_500_001)));
        new CheckpointWriter(ScalarType.FLOAT32).write(folder, tensors);
        assertThat(files()).containsExactly("model.safetensors");
        assertHolds(tensors);
    }

    @Test
    void bfloat16ComesBackBitForBit() throws Exception {
        NDArray half = Torch.cast(Tensors.normal(manager, 3, 11, 13), ScalarType.BFLOAT16);
        Map<String, TensorSlices> tensors = Map.of("w", TensorSlices.of(half));
        new CheckpointWriter(ScalarType.BFLOAT16).write(folder, tensors);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.tensor("w").type()).isEqualTo(ScalarType.BFLOAT16);
            assertThat(checkpoint.load(manager, "w").toByteArray())
                    .isEqualTo(Torch.cast(half, ScalarType.FLOAT32).toByteArray());
        }
    }

    @Test
    void convertsFloatsAndKeepsTheRest() throws Exception {
        NDArray values = Tensors.normal(manager, 3, 11, 13);
        Map<String, TensorSlices> tensors =
                Map.of(
                        "a", TensorSlices.of(manager.create(new boolean[] {true, false, true})),
                        "b", TensorSlices.of(values),
                        "c", TensorSlices.of(manager.create(new long[] {1, -2})));
        for (ScalarType type : new ScalarType[] {ScalarType.BFLOAT16, ScalarType.FLOAT16}) {
            new CheckpointWriter(type).write(folder, tensors);
            try (Checkpoint checkpoint = Checkpoint.open(folder)) {
                assertThat(checkpoint.tensor("b").type()).isEqualTo(type);
                // PyTorch's own rounding.
                NDArray rounded = Torch.cast(Torch.cast(values, type), ScalarType.FLOAT32);
                NDArray read = manager.zeros(values.getShape());
                checkpoint.read("b", read);
                assertThat(read.toByteArray()).isEqualTo(rounded.toByteArray());
                assertThat(checkpoint.load(manager, "a").toBooleanArray())
                        .containsExactly(true, false, true);
                assertThat(checkpoint.load(manager, "c").toLongArray()).containsExactly(1, -2);
                // Wide types come first, so that each tensor is aligned.
                checkpoint
                        .tensors()
                        .values()
                        .forEach(t -> assertThat(t.begin() % t.type().bytes()).isZero());
            }
        }
    }

    @Test
    void joinsAndSplitsRows() throws Exception {
        NDArray fused = Tensors.normal(manager, 9, 6, 4);
        fused.setRequiresGradient(true);
        Map<String, TensorSlices> tensors =
                Map.of(
                        "k", new TensorSlices(new Shape(2, 4), List.of(fused.get("4:6"))),
                        "q", new TensorSlices(new Shape(4, 1, 4), List.of(fused.get("0:4"))),
                        "joined",
                                new TensorSlices(
                                        new Shape(6, 4),
                                        List.of(
                                                fused.get("4:"),
                                                fused.get("1:3"),
                                                fused.get("0:2"))),
                        "transposed", TensorSlices.of(fused.transpose()));
        new CheckpointWriter(ScalarType.FLOAT32).write(folder, tensors);
        float[] w = fused.toFloatArray();
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.load(manager, "k").toFloatArray())
                    .isEqualTo(Arrays.copyOfRange(w, 16, 24));
            assertThat(checkpoint.load(manager, "q").getShape()).isEqualTo(new Shape(4, 1, 4));
            assertThat(checkpoint.load(manager, "q").toFloatArray())
                    .isEqualTo(Arrays.copyOfRange(w, 0, 16));
            assertThat(checkpoint.load(manager, "joined").toFloatArray())
                    .isEqualTo(
                            fused.get(manager.create(new int[] {4, 5, 1, 2, 0, 1})).toFloatArray());
            assertThat(checkpoint.load(manager, "transposed").toFloatArray())
                    .isEqualTo(fused.transpose().toFloatArray());
        }
    }

    @Test
    void refusesPartsThatDoNotFit() {
        NDArray part = manager.zeros(new Shape(2, 3));
        assertThatThrownBy(() -> new TensorSlices(new Shape(3, 3), List.of(part)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The parts have 6 elements, but the shape is (3, 3)");
        assertThatThrownBy(() -> new TensorSlices(new Shape(3, 4), List.of(part, part)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no whole rows of (3, 4)");
        NDArray other = manager.zeros(new Shape(2, 3), DataType.INT64);
        assertThatThrownBy(() -> new TensorSlices(new Shape(4, 3), List.of(part, other)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("one type, not FLOAT32 and INT64");
        assertThatThrownBy(() -> new CheckpointWriter(ScalarType.INT8))
                .isInstanceOf(IllegalArgumentException.class);
        Map<String, TensorSlices> metadata = Map.of("__metadata__", TensorSlices.of(part));
        assertThatThrownBy(() -> new CheckpointWriter(ScalarType.FLOAT32).write(folder, metadata))
                .isInstanceOf(IllegalArgumentException.class);
    }

    /** Reading Python's files and writing them again gives the same bytes. */
    @ParameterizedTest
    @ValueSource(strings = {"delta_net_swa", "mamba2", "qwen3_5", "recurrent_gemma_griffin"})
    void writesWhatPythonWrites(String model) throws Exception {
        Path original = Conformance.path(model).resolve(Checkpoint.MODEL_FILE);
        Map<String, TensorSlices> tensors = new TreeMap<>();
        try (Checkpoint checkpoint = Checkpoint.open(original)) {
            for (String name : checkpoint.tensors().keySet()) {
                tensors.put(name, TensorSlices.of(checkpoint.load(manager, name)));
            }
        }
        Path file = folder.resolve(Checkpoint.MODEL_FILE);
        new CheckpointWriter(ScalarType.FLOAT32).writeFile(file, tensors);
        assertThat(file).hasSameBinaryContentAs(original);
    }

    @Test
    void dividesIntoShards() throws Exception {
        Map<String, TensorSlices> tensors = three();
        // Each tensor has 140 bytes: two to a shard.
        new CheckpointWriter(ScalarType.FLOAT32, 280).write(folder, tensors);
        assertThat(files())
                .containsExactly(
                        "model-00001-of-00002.safetensors",
                        "model-00002-of-00002.safetensors",
                        "model.safetensors.index.json");
        assertThat(Files.readString(folder.resolve(Checkpoint.INDEX_FILE)))
                .isEqualTo(
                        """
                        {
                          "metadata": {
                            "total_size": 420
                          },
                          "weight_map": {
                            "a": "model-00001-of-00002.safetensors",
                            "b": "model-00001-of-00002.safetensors",
                            "c": "model-00002-of-00002.safetensors"
                          }
                        }
                        """);
        assertHolds(tensors);
    }

    @Test
    void aTensorLargerThanAShardHasOneOfItsOwn() throws Exception {
        Map<String, TensorSlices> tensors = three();
        new CheckpointWriter(ScalarType.FLOAT32, 1).write(folder, tensors);
        assertThat(files()).hasSize(4).contains("model-00003-of-00003.safetensors");
        assertHolds(tensors);
    }

    /** Whole after sharded after whole, and as many shards as before under other names. */
    @Test
    void nothingOfAnEarlierSaveStays() throws Exception {
        List<List<String>> seen = new ArrayList<>();
        for (long shardBytes : new long[] {1000, 280, 280, 280, 140, 1000, 280}) {
            Map<String, TensorSlices> tensors = three();
            tensors.put("b", TensorSlices.of(manager.full(new Shape(5, 7), (float) seen.size())));
            new CheckpointWriter(ScalarType.FLOAT32, shardBytes).write(folder, tensors);
            assertHolds(tensors);
            seen.add(files());
        }
        String index = Checkpoint.INDEX_FILE;
        List<String> two =
                List.of(
                        "model-00001-of-00002.safetensors",
                        "model-00002-of-00002.safetensors",
                        index);
        List<String> twoOthers =
                List.of(
                        "model-2-00001-of-00002.safetensors",
                        "model-2-00002-of-00002.safetensors",
                        index);
        assertThat(seen.get(0)).containsExactly(Checkpoint.MODEL_FILE);
        assertThat(seen.subList(1, 4)).containsExactly(two, twoOthers, two);
        assertThat(seen.get(4)).hasSize(4).contains("model-00003-of-00003.safetensors");
        assertThat(seen.subList(5, 7)).containsExactly(List.of(Checkpoint.MODEL_FILE), two);
    }

    @Test
    void failsLoudly() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "not a folder");
        CheckpointWriter writer = new CheckpointWriter(ScalarType.FLOAT32);
        assertThatThrownBy(() -> writer.write(file, three()))
                .isInstanceOf(CheckpointSaveException.class)
                .hasMessageContaining("Cannot save " + file);
        Path absent = folder.resolve("absent/model.safetensors");
        assertThatThrownBy(() -> writer.writeFile(absent, three()))
                .isInstanceOf(CheckpointSaveException.class)
                .hasMessageContaining("absent");
        Path taken = Files.createDirectories(folder.resolve(Checkpoint.MODEL_FILE).resolve("x"));
        assertThatThrownBy(() -> writer.write(folder, three()))
                .isInstanceOf(CheckpointSaveException.class);
        assertThat(taken).exists();
        assertThat(files()).containsExactly("file", Checkpoint.MODEL_FILE);
    }
}
