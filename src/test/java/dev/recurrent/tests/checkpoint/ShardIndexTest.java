package dev.recurrent.tests.checkpoint;

import static dev.recurrent.tests.checkpoint.Safetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import ai.djl.ndarray.NDManager;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An index may name files of its folder only, and must agree with them. */
class ShardIndexTest {

    @TempDir Path parent;

    private Path folder;

    @BeforeEach
    void outsideIsAGoodShard() throws IOException {
        folder = Files.createDirectories(parent.resolve("model"));
        shard(parent.resolve("outside.safetensors"), "w");
    }

    private static void shard(Path file, String tensor) throws IOException {
        Safetensors.write(file, "{" + entry(tensor, "U8", "[1]", 0, 1) + "}", (byte) 5);
    }

    private void index(Map<String, String> files) throws IOException {
        text(
                files.entrySet().stream()
                        .map(e -> "\"" + e.getKey() + "\":\"" + e.getValue() + "\"")
                        .collect(Collectors.joining(",", "{\"weight_map\":{", "}}")));
    }

    private void text(String json) throws IOException {
        Files.writeString(folder.resolve(Checkpoint.INDEX_FILE), json);
    }

    private CheckpointException refusal() {
        CheckpointException e =
                catchThrowableOfType(CheckpointException.class, () -> Checkpoint.open(folder));
        assertThat(e).isNotNull();
        return e;
    }

    @Test
    void opensShards() throws Exception {
        shard(folder.resolve("a.safetensors"), "a");
        Files.createDirectories(folder.resolve("deeper"));
        shard(folder.resolve("deeper/b.safetensors"), "b");
        index(Map.of("a", "a.safetensors", "b", "deeper/b.safetensors"));
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                NDManager manager = NDManager.newBaseManager()) {
            assertThat(checkpoint.tensors().keySet()).containsExactly("a", "b");
            assertThat(checkpoint.load(manager, "b").toUint8Array()).containsExactly(5);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../outside.safetensors",
                "x/../../outside.safetensors",
                "./../model/../outside.safetensors",
                "..",
                "nul\\u0000"
            })
    void refusesPathsThatLeadOut(String shard) throws IOException {
        index(Map.of("w", shard));
        assertThat(refusal().getTensor()).isEqualTo("w");
        assertThat(refusal()).hasMessageContaining("must be a file inside the index's folder");
    }

    @Test
    void refusesAbsolutePaths() throws IOException {
        Path inside = folder.resolve("a.safetensors");
        shard(inside, "w");
        for (Path path : new Path[] {parent.resolve("outside.safetensors"), inside}) {
            index(Map.of("w", path.toAbsolutePath().toString().replace("\\", "\\\\")));
            assertThat(refusal()).hasMessageContaining("must be a file inside the index's folder");
        }
    }

    @Test
    void refusesLinksThatLeadOut() throws Exception {
        Files.createSymbolicLink(
                folder.resolve("link.safetensors"), parent.resolve("outside.safetensors"));
        index(Map.of("w", "link.safetensors"));
        assertThat(refusal()).hasMessageContaining("must be a file inside the index's folder");
        Files.createSymbolicLink(folder.resolve("up"), parent);
        index(Map.of("w", "up/outside.safetensors"));
        assertThat(refusal()).hasMessageContaining("must be a file inside the index's folder");
    }

    @Test
    void followsLinksThatStayInside() throws Exception {
        shard(folder.resolve("a.safetensors"), "w");
        Files.createSymbolicLink(folder.resolve("link.safetensors"), Path.of("a.safetensors"));
        index(Map.of("w", "link.safetensors"));
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.tensors()).containsKey("w");
        }
    }

    @Test
    void refusesWhatIsNoFile() throws IOException {
        index(Map.of("w", "absent.safetensors"));
        assertThat(refusal()).hasMessageContaining("'absent.safetensors' is not in the folder");
        Files.createDirectory(folder.resolve("sub"));
        for (String shard : new String[] {"sub", "", "."}) {
            index(Map.of("w", shard));
            assertThat(refusal()).hasMessageContaining("must be a regular file");
        }
    }

    @Test
    void refusesDisagreement() throws IOException {
        shard(folder.resolve("a.safetensors"), "a");
        index(Map.of("a", "a.safetensors", "b", "a.safetensors"));
        assertThat(refusal().getTensor()).isEqualTo("b");
        assertThat(refusal()).hasMessageContaining("the index says that it is here");
        index(Map.of("z", "a.safetensors"));
        assertThat(refusal().getTensor()).isEqualTo("z");
        Safetensors.write(
                folder.resolve("a.safetensors"),
                "{" + entry("a", "U8", "[0]", 0, 0) + "," + entry("b", "U8", "[0]", 0, 0) + "}");
        index(Map.of("a", "a.safetensors"));
        assertThat(refusal().getTensor()).isEqualTo("b");
        assertThat(refusal()).hasMessageContaining("does not say that it is here");
    }

    @Test
    void refusesOneFileUnderTwoNames() throws IOException {
        shard(folder.resolve("a.safetensors"), "a");
        index(Map.of("a", "a.safetensors", "b", "./a.safetensors"));
        assertThat(refusal()).hasMessageContaining("a.safetensors");
    }

    @Test
    void refusesWhatIsNoIndex() throws IOException {
        text("{}");
        assertThat(refusal()).hasMessageContaining("weight_map is missing");
        text("{\"weight_map\":{}}");
        assertThat(refusal()).hasMessageContaining("names no tensor");
        text("{\"weight_map\":[]}");
        assertThat(refusal()).hasMessageContaining("weight_map must be an object, not an array");
        text("{\"weight_map\":{\"w\":3}}");
        assertThat(refusal()).hasMessageContaining("'w': the shard's name must be a string");
        text("{\"weight_map\":{\"w\":\"a\",\"w\":\"b\"}}");
        assertThat(refusal()).hasMessageContaining("'w' occurs twice");
        text("{\"metadata\":" + "[".repeat(1_000_000));
        assertThat(refusal()).hasMessageContaining("valid JSON");
        text("{\"weight_map\":{\"w\":\"" + "long".repeat(10_000) + "\"}}");
        assertThat(refusal()).hasMessageContaining("the file system cannot follow");
        assertThat(refusal().getMessage()).hasSizeLessThan(1000);
        text("");
        assertThat(refusal()).hasMessageContaining("valid JSON");
    }

    @Test
    void prefersTheWholeFile() throws Exception {
        shard(folder.resolve(Checkpoint.MODEL_FILE), "whole");
        shard(folder.resolve("a.safetensors"), "a");
        index(Map.of("a", "a.safetensors"));
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.tensors().keySet()).containsExactly("whole");
        }
    }
}
