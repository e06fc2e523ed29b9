package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CubinCache;
import dev.recurrent.blocks.cuda.CudaException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CubinCacheTest {

    private static final List<String> KEY = List.of("-DN=1", "source", "nvrtc 13.0");
    private static final byte[] CODE = {1, 2, 3, 4, 5};

    @TempDir private Path folder;

    private int compilations;

    private byte[] compile() {
        compilations++;
        return CODE.clone();
    }

    private CubinCache cache() {
        return new CubinCache(folder.resolve("cubin"));
    }

    @Test
    void compilesOnceForAllProcesses() throws Exception {
        assertThat(cache().get(KEY, this::compile)).isEqualTo(CODE);
        assertThat(cache().get(KEY, this::compile)).isEqualTo(CODE);
        assertThat(compilations).isEqualTo(1);
        assertThat(Files.list(folder.resolve("cubin"))).containsExactly(cache().file(KEY));
    }

    @Test
    void everyPartOfTheKeyCounts() {
        assertThat(
                        List.of(
                                cache().file(KEY),
                                cache().file(List.of("-DN=2", "source", "nvrtc 13.0")),
                                cache().file(List.of("-DN=1", "source ", "nvrtc 13.0")),
                                cache().file(List.of("-DN=1", "source", "nvrtc 13.1")),
                                cache().file(List.of("-DN=1source", "nvrtc 13.0")),
                                cache().file(List.of("-DN=1s", "ource", "nvrtc 13.0")),
                                cache().file(List.of("source", "-DN=1", "nvrtc 13.0"))))
                .doesNotHaveDuplicates();
    }

    @Test
    void aDamagedEntryIsCompiledAgain() throws Exception {
        cache().get(KEY, this::compile);
        Path file = cache().file(KEY);
        byte[] whole = Files.readAllBytes(file);
        int code = whole.length - CODE.length;
        for (int length : new int[] {0, code - 1, code, whole.length - 1, whole.length + 1}) {
            damage(file, Arrays.copyOf(whole, length));
        }
        for (int at : new int[] {0, code - 1, code, whole.length - 1}) {
            byte[] flipped = whole.clone();
            flipped[at] ^= 16;
            damage(file, flipped);
        }
    }

    private void damage(Path file, byte[] bytes) throws Exception {
        Files.write(file, bytes);
        compilations = 0;
        assertThat(cache().get(KEY, this::compile)).isEqualTo(CODE);
        assertThat(cache().get(KEY, this::compile)).isEqualTo(CODE);
        assertThat(compilations).isEqualTo(1);
    }

    @Test
    void aFolderThatCannotBeUsedCostsOnlyTime() throws Exception {
        Files.writeString(folder.resolve("cubin"), "a file, not a folder");
        assertThat(cache().get(KEY, this::compile)).isEqualTo(CODE);
        assertThat(cache().get(KEY, this::compile)).isEqualTo(CODE);
        assertThat(compilations).isEqualTo(2);
    }

    @Test
    void aFailedCompilationLeavesNothing() {
        CudaException failure = new CudaException("syntax error");
        assertThatThrownBy(
                        () ->
                                cache().get(
                                                KEY,
                                                () -> {
                                                    throw failure;
                                                }))
                .isSameAs(failure);
        assertThat(cache().file(KEY)).doesNotExist();
    }

    @Test
    void equalConstantsGiveEqualOptions() {
        Constants constants = Constants.none().with("WIDTH", 64).with("TYPE", "float");
        assertThat(constants.options()).containsExactly("-DTYPE=float", "-DWIDTH=64");
        assertThat(Constants.none().with("TYPE", "float").with("WIDTH", 64)).isEqualTo(constants);
        assertThatThrownBy(() -> constants.with("TYPE", "double"))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> constants.with("A=1 -DB", 2))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("A=1 -DB");
    }
}
