package dev.recurrent.tests.training.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.tests.support.ForkedJvm;
import dev.recurrent.training.checkpoint.CheckpointStore;
import dev.recurrent.training.checkpoint.StoredCheckpoint;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checkpoints are there whole or not at all, and the newest whole one is found. */
class CheckpointStoreTest {

    private static final int KILLS = 3;
    private static final int BYTES = 1 << 20;

    @TempDir Path folder;

    /** Both files of checkpoint n hold n. */
    private static void save(CheckpointStore store, long step, double loss) throws IOException {
        byte[] content = content(step);
        store.save(
                step,
                loss,
                made -> {
                    Files.write(made.resolve("weights"), content);
                    Files.write(made.resolve("moments"), content);
                });
    }

    private static byte[] content(long step) {
        byte[] content = new byte[BYTES];
        Arrays.fill(content, (byte) step);
        return content;
    }

    private static void truncate(Path file) throws IOException {
        try (var channel = Files.newByteChannel(file, StandardOpenOption.WRITE)) {
            channel.truncate(BYTES - 1);
        }
    }

    private static long newest(CheckpointStore store) throws IOException {
        StoredCheckpoint checkpoint = store.newestValid().orElseThrow();
        for (String name : List.of("weights", "moments")) {
            byte[] content = Files.readAllBytes(checkpoint.folder().resolve(name));
            assertThat(Arrays.equals(content, content(checkpoint.step()))).as(name).isTrue();
        }
        return checkpoint.step();
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void keepsTheLastAndTheBest() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 2);
        assertThat(store.newestValid()).isEmpty();
        double[] losses = {3, 1, Double.NaN, 2, 2.5};
        for (int i = 0; i < losses.length; i++) {
            save(store, 10 * (i + 1), losses[i]);
        }
        assertThat(names()).containsExactly("step-00000020", "step-00000040", "step-00000050");
        assertThat(newest(store)).isEqualTo(50);
        assertThat(store.best().orElseThrow().step()).isEqualTo(20);
        assertThat(store.best().orElseThrow().validationLoss()).isEqualTo(1);
    }

    @Test
    void aStepIsReplaced() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 2);
        save(store, 7, 2);
        save(store, 7, 1);
        assertThat(names()).containsExactly("step-00000007");
        assertThat(store.best().orElseThrow().validationLoss()).isEqualTo(1);
    }

    /** A writer that was killed in the middle of a replacement leaves one of these states. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void replacementsThatWereCutShortAreThereAndGetTheirName(boolean both) throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 1);
        save(store, 7, 1);
        Path replacement = folder.resolve("step-00000007.new");
        Files.move(folder.resolve("step-00000007"), replacement);
        if (both) {
            Files.createDirectory(folder.resolve("step-00000007"));
            Files.writeString(folder.resolve("step-00000007/manifest.json"), "an earlier one");
        }
        assertThat(newest(store)).isEqualTo(7);
        assertThat(store.newestValid().orElseThrow().folder()).isEqualTo(replacement);
        assertThatThrownBy(() -> store.save(8, 1, CheckpointStoreTest::fail))
                .isInstanceOf(CheckpointSaveException.class);
        assertThat(names()).containsExactly("step-00000007");
        assertThat(newest(store)).isEqualTo(7);
    }

    @Test
    void aFailingReplacementKeepsWhatWasThere() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 1);
        save(store, 7, 1);
        assertThatThrownBy(() -> store.save(7, 1, CheckpointStoreTest::fail))
                .isInstanceOf(CheckpointSaveException.class);
        assertThat(names()).containsExactly("step-00000007");
        assertThat(newest(store)).isEqualTo(7);
    }

    private static void fail(Path made) throws IOException {
        Files.writeString(made.resolve("weights"), "half");
        throw new IOException("No space left on device");
    }

    /** After a resume from before damaged ones, folders of later steps are there already. */
    @Test
    void damagedOnesOfLaterStepsDoNotPushOutWhatIsSaved() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 2);
        for (int step = 1; step <= 4; step++) {
            save(store, step, Double.NaN);
        }
        truncate(folder.resolve("step-00000003/weights"));
        truncate(folder.resolve("step-00000004/weights"));
        save(store, 1, Double.NaN);
        assertThat(newest(store)).isEqualTo(1);
        save(store, 2, Double.NaN);
        assertThat(newest(store)).isEqualTo(2);
        save(store, 5, Double.NaN);
        // What is damaged goes like the others once enough whole ones are newer.
        save(store, 6, Double.NaN);
        assertThat(names()).containsExactly("step-00000005", "step-00000006");
    }

    /** Sizes alone do not show a changed byte, so that both later ones seem whole. */
    @Test
    void whatWasJustSavedIsKept() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 2);
        for (int step = 2; step <= 3; step++) {
            save(store, step, Double.NaN);
            Files.write(folder.resolve("step-0000000" + step + "/weights"), content(9));
        }
        save(store, 1, Double.NaN);
        assertThat(newest(store)).isEqualTo(1);
    }

    @Test
    void whatIsDamagedIsNotTheBest() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 1);
        save(store, 1, 1);
        save(store, 2, 2);
        truncate(folder.resolve("step-00000001/weights"));
        save(store, 3, 3);
        assertThat(names()).containsExactly("step-00000002", "step-00000003");
        assertThat(store.best().orElseThrow().step()).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY})
    void lossesThatAreNotFiniteAreNotKnown(double loss) throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 1);
        save(store, 1, loss);
        assertThat(newest(store)).isEqualTo(1);
        assertThat(store.best()).isEmpty();
    }

    @Test
    void aWarningSaysWhatIsPassedOverAndWhy() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 5);
        save(store, 1, 1);
        save(store, 2, 1);
        truncate(folder.resolve("step-00000002/weights"));
        PrintStream before = System.err;
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
        try {
            assertThat(newest(store)).isEqualTo(1);
        } finally {
            System.setErr(before);
        }
        assertThat(log.toString(StandardCharsets.UTF_8))
                .contains("WARN")
                .contains(folder.resolve("step-00000002") + " is passed over")
                .contains("weights has " + (BYTES - 1) + " bytes, not " + BYTES);
    }

    @Test
    void aFolderOfAnotherStepIsPassedOver() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 5);
        save(store, 1, 1);
        save(store, 2, 1);
        Files.move(folder.resolve("step-00000002"), folder.resolve("step-00000003"));
        assertThat(newest(store)).isEqualTo(1);
    }

    @Test
    void stepsAreNotNegative() {
        CheckpointStore store = new CheckpointStore(folder, 1);
        assertThatThrownBy(() -> save(store, -1, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("-1");
    }

    @Test
    void damagedOnesArePassedOver() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 5);
        for (int step = 1; step <= 5; step++) {
            save(store, step, step);
        }
        assertThat(newest(store)).isEqualTo(5);
        // Cut short.
        truncate(folder.resolve("step-00000005/weights"));
        assertThat(newest(store)).isEqualTo(4);
        // One bit.
        Path flipped = folder.resolve("step-00000004/moments");
        byte[] content = Files.readAllBytes(flipped);
        content[BYTES / 2] ^= 1;
        Files.write(flipped, content);
        assertThat(newest(store)).isEqualTo(3);
        Files.delete(folder.resolve("step-00000003/weights"));
        assertThat(newest(store)).isEqualTo(2);
        Files.writeString(folder.resolve("step-00000002/manifest.json"), "{\"step\": 2");
        assertThat(newest(store)).isEqualTo(1);
        // What is damaged cannot be the best.
        assertThat(store.best().orElseThrow().step()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"../outside", "", ".", "\\u0000"})
    void manifestsNameFilesOfTheirFolder(String name) throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 5);
        save(store, 1, 1);
        Path manifest = folder.resolve("step-00000001/manifest.json");
        Files.write(folder.resolve("outside"), content(1));
        Files.writeString(
                manifest, Files.readString(manifest).replace("\"weights\"", '"' + name + '"'));
        assertThat(store.newestValid()).isEmpty();
    }

    @Test
    void aFailingSaveLeavesNothing() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 2);
        save(store, 1, 1);
        assertThatThrownBy(() -> store.save(2, 1, CheckpointStoreTest::fail))
                .isInstanceOf(CheckpointSaveException.class)
                .hasMessageContaining("step-00000002")
                .hasMessageContaining("No space left on device");
        assertThat(names()).containsExactly("step-00000001");
        assertThat(newest(store)).isEqualTo(1);
    }

    @Test
    void aKilledWriterLeavesTheLastCheckpoint() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 2);
        save(store, 1, 1);
        Random random = new Random();
        long last = 1;
        for (int kill = 0; kill < KILLS; kill++) {
            Process writer =
                    ForkedJvm.start(
                            List.of(),
                            List.of(),
                            Saves.class,
                            folder.toString(),
                            Long.toString(last));
            long reported = last;
            try (BufferedReader lines = writer.inputReader()) {
                int passed = 1 + random.nextInt(3);
                String line = "";
                while (passed > 0 && (line = lines.readLine()) != null) {
                    passed -= line.startsWith("saved ") ? 1 : 0;
                }
                assertThat(line).as("the writer ended by itself").isNotNull();
                Thread.sleep(random.nextInt(25));
                writer.toHandle().destroyForcibly();
                writer.waitFor();
                do {
                    if (line.startsWith("saved ")) {
                        reported = Long.parseLong(line.substring("saved ".length()));
                    }
                } while ((line = lines.readLine()) != null);
            }
            // A save may be in effect before it is reported, never the other way round.
            last = newest(store);
            assertThat(last).isBetween(reported, reported + 1);
        }
        save(store, last + 1, 1);
        assertThat(names()).as("nothing is left over").allMatch(name -> name.startsWith("step-"));
    }

    @Test
    void aKilledReplacementLeavesACheckpoint() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 1);
        save(store, 7, 1);
        Process writer =
                ForkedJvm.start(List.of(), List.of(), Replacements.class, folder.toString());
        try (BufferedReader lines = writer.inputReader()) {
            assertThat(lines.readLine()).isEqualTo("replaced");
            Thread.sleep(new Random().nextInt(50));
            writer.toHandle().destroyForcibly();
            writer.waitFor();
        }
        assertThat(newest(store)).isEqualTo(7);
        save(store, 7, 1);
        assertThat(names()).containsExactly("step-00000007");
    }

    /** Saves one step for ever. */
    static final class Replacements {

        private Replacements() {}

        public static void main(String[] arguments) throws IOException {
            CheckpointStore store = new CheckpointStore(Path.of(arguments[0]), 1);
            while (true) {
                save(store, 7, 1);
                System.out.println("replaced");
            }
        }
    }

    /** Saves for ever. */
    static final class Saves {

        private Saves() {}

        public static void main(String[] arguments) throws IOException {
            CheckpointStore store = new CheckpointStore(Path.of(arguments[0]), 2);
            for (long step = Long.parseLong(arguments[1]) + 1; ; step++) {
                save(store, step, 1);
                System.out.println("saved " + step);
            }
        }
    }

    /** A limit on the size of files fails writes half-way, as a full disk does. */
    @Test
    @DisabledOnOs(OS.WINDOWS)
    void aFullDiskLeavesTheLastCheckpoint() throws Exception {
        CheckpointStore store = new CheckpointStore(folder, 2);
        save(store, 1, 1);
        Process writer =
                ForkedJvm.start(
                        List.of("sh", "-c", "ulimit -f 800; exec \"$0\" \"$@\""),
                        List.of("-XX:-UsePerfData"),
                        OneSave.class,
                        folder.toString());
        ForkedJvm.Result result = ForkedJvm.await(writer);
        assertThat(result.output()).contains("failed: ").contains("step-00000002");
        assertThat(names()).containsExactly("step-00000001");
        assertThat(newest(store)).isEqualTo(1);
    }

    /** Saves once. */
    static final class OneSave {

        private OneSave() {}

        public static void main(String[] arguments) throws IOException {
            try {
                save(new CheckpointStore(Path.of(arguments[0]), 2), 2, 1);
            } catch (CheckpointSaveException e) {
                System.out.println("failed: " + e.getMessage());
            }
        }
    }
}
