package dev.recurrent.tests.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.ForkedJvm;
import dev.recurrent.zoo.checkpoint.AtomicFiles;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.checkpoint.TensorSlices;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A save happens or does not. */
class AtomicSaveTest {

    private static final int KILLS = 3;
    private static final int TENSORS = 4;
    private static final int ELEMENTS = 1 << 18;
    private static final long WHOLE = 1L << 40;
    private static final long IN_SHARDS = 4L * ELEMENTS;

    @TempDir Path folder;

    /** All tensors of save n hold n. */
    private static void save(Path folder, NDManager manager, int number, long shardBytes)
            throws CheckpointSaveException {
        Map<String, TensorSlices> tensors = new TreeMap<>();
        try (NDManager scratch = manager.newSubManager()) {
            NDArray values = scratch.full(new Shape(ELEMENTS), (float) number);
            for (int i = 0; i < TENSORS; i++) {
                tensors.put("w" + i, TensorSlices.of(values));
            }
            new CheckpointWriter(ScalarType.FLOAT32, shardBytes).write(folder, tensors);
        }
    }

    /** Returns which save the folder holds, having checked that it is whole. */
    private static int saved(Path folder, NDManager manager) throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                NDManager scratch = manager.newSubManager()) {
            assertThat(checkpoint.tensors()).hasSize(TENSORS);
            int number = (int) checkpoint.load(scratch, "w0").getFloat(0);
            for (int i = 0; i < TENSORS; i++) {
                NDArray values = checkpoint.load(scratch, "w" + i);
                assertThat(values.min().getFloat()).isEqualTo(number);
                assertThat(values.max().getFloat()).isEqualTo(number);
            }
            return number;
        }
    }

    @Test
    void aKilledWriterLeavesTheLastSave() throws Exception {
        Random random = new Random();
        try (NDManager manager = NDManager.newBaseManager()) {
            save(folder, manager, 0, WHOLE);
            int last = 0;
            for (int kill = 0; kill < KILLS; kill++) {
                Process writer =
                        ForkedJvm.start(
                                List.of(),
                                List.of(),
                                Saves.class,
                                folder.toString(),
                                Integer.toString(last));
                int reported = last;
                try (BufferedReader lines = writer.inputReader()) {
                    // Let some saves pass, then kill somewhere within the next.
                    int passed = random.nextInt(4);
                    String line = "";
                    while (passed >= 0 && (line = lines.readLine()) != null) {
                        if (line.startsWith("saved ")) {
                            passed--;
                        }
                    }
                    assertThat(line).as("the writer ended by itself").isNotNull();
                    Thread.sleep(random.nextInt(30));
                    // Through the handle, which leaves what it printed readable.
                    writer.toHandle().destroyForcibly();
                    writer.waitFor();
                    do {
                        if (line.startsWith("saved ")) {
                            reported = Integer.parseInt(line.substring("saved ".length()));
                        }
                    } while ((line = lines.readLine()) != null);
                }
                // A save may be in effect before it is reported, never the other way round.
                last = saved(folder, manager);
                assertThat(last).isBetween(reported, reported + 1);
            }
            save(folder, manager, last + 1, IN_SHARDS);
            assertThat(saved(folder, manager)).isEqualTo(last + 1);
            try (Stream<Path> files = Files.list(folder)) {
                assertThat(files).as("nothing is left over").hasSize(TENSORS + 1);
            }
        }
    }

    /** Saves for ever, whole and in shards by turns. */
    static final class Saves {

        private Saves() {}

        public static void main(String[] arguments) throws IOException {
            try (NDManager manager = NDManager.newBaseManager()) {
                for (int number = Integer.parseInt(arguments[1]) + 1; ; number++) {
                    save(
                            Path.of(arguments[0]),
                            manager,
                            number,
                            number % 3 == 0 ? WHOLE : IN_SHARDS);
                    System.out.println("saved " + number);
                }
            }
        }
    }

    /** A limit on the size of files fails writes half-way, as a full disk does. */
    @Test
    @DisabledOnOs(OS.WINDOWS)
    void aFailedWriteLeavesTheLastSave() throws Exception {
        try (NDManager manager = NDManager.newBaseManager()) {
            for (long shardBytes : new long[] {WHOLE, IN_SHARDS}) {
                save(folder, manager, 3, shardBytes);
                List<Path> before = files();
                Process writer =
                        ForkedJvm.start(
                                List.of("sh", "-c", "ulimit -f 800; exec \"$0\" \"$@\""),
                                List.of("-XX:-UsePerfData"),
                                OneSave.class,
                                folder.toString(),
                                Long.toString(shardBytes));
                ForkedJvm.Result result = ForkedJvm.await(writer);
                assertThat(result.output()).contains("failed: Cannot save " + folder);
                assertThat(result.exit()).isZero();
                assertThat(saved(folder, manager)).isEqualTo(3);
                assertThat(files()).isEqualTo(before);
            }
        }
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }

    /** Saves once. */
    static final class OneSave {

        private OneSave() {}

        public static void main(String[] arguments) {
            try (NDManager manager = NDManager.newBaseManager()) {
                save(Path.of(arguments[0]), manager, 4, Long.parseLong(arguments[1]));
            } catch (CheckpointSaveException e) {
                System.out.println("failed: " + e.getMessage());
            }
        }
    }

    @Test
    void textIsReplacedOrKept() throws Exception {
        Path file = folder.resolve("config.json");
        AtomicFiles.writeString(file, "{\"größe\": 1}");
        assertThat(file).hasContent("{\"größe\": 1}");
        AtomicFiles.writeString(file, "{}");
        assertThat(file).hasContent("{}");
        assertThatThrownBy(
                        () ->
                                AtomicFiles.write(
                                        file,
                                        channel -> {
                                            throw new IOException("No space left on device");
                                        }))
                .hasMessage("No space left on device");
        assertThat(file).hasContent("{}");
        assertThat(files()).containsExactly(file);
    }

    @Test
    void leftoversGo() throws IOException {
        Path kept = Files.createFile(folder.resolve(".hidden.tmp"));
        Files.createFile(folder.resolve(".config.json.0123456789abcdef.tmp"));
        AtomicFiles.deleteLeftovers(folder);
        assertThat(files()).containsExactly(kept);
    }
}
