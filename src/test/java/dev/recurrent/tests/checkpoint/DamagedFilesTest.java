package dev.recurrent.tests.checkpoint;

import static dev.recurrent.tests.checkpoint.Safetensors.bytes;
import static dev.recurrent.tests.checkpoint.Safetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Random damage to a small file: it still reads, or is refused by the one typed exception. */
class DamagedFilesTest {

    private static final int ROUNDS = 10_000;

    @TempDir Path folder;

    @Test
    void headersAndData() throws IOException {
        byte[] whole =
                bytes(
                        "{\"__metadata__\":{\"format\":\"pt\"},"
                                + entry("a", "BF16", "[2,3]", 0, 12)
                                + ","
                                + entry("b", "BOOL", "[3]", 12, 15)
                                + ","
                                + entry("c", "F16", "[2]", 15, 19)
                                + ","
                                + entry("d", "I64", "[]", 19, 27)
                                + ","
                                + entry("e", "F32", "[0,7]", 27, 27)
                                + "}",
                        new byte[27]);
        damage(whole, folder.resolve("damaged.safetensors"));
    }

    @Test
    void indices() throws IOException {
        Safetensors.write(
                folder.resolve("model-00001-of-00001.safetensors"),
                "{" + entry("a", "U8", "[4]", 0, 4) + "}",
                new byte[4]);
        String index =
                "{\"metadata\":{\"total_size\":4},"
                        + "\"weight_map\":{\"a\":\"model-00001-of-00001.safetensors\"}}";
        damage(index.getBytes(StandardCharsets.UTF_8), folder.resolve(Checkpoint.INDEX_FILE));
    }

    private static void damage(byte[] whole, Path file) throws IOException {
        Random random = new Random(7);
        int read = 0;
        int refused = 0;
        try (NDManager manager = NDManager.newBaseManager()) {
            for (int round = 0; round < ROUNDS; round++) {
                // Some file systems wait for the disk when a file is truncated and written again.
                Files.deleteIfExists(file);
                Files.write(file, damaged(whole, random));
                try (Checkpoint checkpoint = Checkpoint.open(file);
                        NDManager scratch = manager.newSubManager()) {
                    for (String name : checkpoint.tensors().keySet()) {
                        checkpoint.load(scratch, name);
                    }
                    read++;
                } catch (CheckpointException e) {
                    assertThat(e).hasMessageContaining(file.getParent().toString());
                    refused++;
                }
            }
        }
        // Damage to names and data is no fault of form, so both must occur.
        assertThat(read).isGreaterThan(ROUNDS / 100);
        assertThat(refused).isGreaterThan(ROUNDS / 10);
    }

    private static byte[] damaged(byte[] whole, Random random) {
        byte[] bytes = whole.clone();
        int flips = random.nextInt(4);
        for (int i = 0; i < flips; i++) {
            bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
        }
        return flips > 0 ? bytes : Arrays.copyOf(bytes, random.nextInt(bytes.length));
    }
}
