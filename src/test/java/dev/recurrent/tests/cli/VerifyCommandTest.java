package dev.recurrent.tests.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.recurrent.tests.support.Conformance;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class VerifyCommandTest {

    private static final List<String> FILES =
            List.of("config.json", "model.safetensors", "expected.safetensors");

    @TempDir private Path folder;

    @ParameterizedTest
    @MethodSource("dev.recurrent.tests.support.Conformance#models")
    void upstreamModelsPass(String model) {
        CommandLineRun run = CommandLineRun.of("verify", Conformance.path(model).toString());
        assertThat(run.code()).as(run.out() + run.err()).isZero();
        assertThat(run.out())
                .contains("full forward", "chunked prefill", "single steps", "greedy continuation");
    }

    @Test
    void aChangedWeightIsSeen() throws IOException {
        copy("recurrent_gemma_hawk");
        try (RandomAccessFile file =
                new RandomAccessFile(folder.resolve("model.safetensors").toFile(), "rw")) {
            file.seek(file.length() - Float.BYTES);
            // 1.0 in little-endian order, as the last weight.
            file.write(new byte[] {0, 0, (byte) 0x80, 0x3f});
        }
        CommandLineRun run = CommandLineRun.of("verify", folder.toString());
        assertThat(run.code()).as(run.out() + run.err()).isEqualTo(1);
        assertThat(run.out()).contains("beyond 1.0e-04");
        CommandLineRun tolerant =
                CommandLineRun.of("verify", folder.toString(), "--tolerance", "10");
        assertThat(tolerant.code()).isZero();
    }

    @Test
    void malformedFoldersAreBadInput() throws IOException {
        copy("delta_net");
        Files.writeString(folder.resolve("model.safetensors"), "not safetensors");
        CommandLineRun weights = CommandLineRun.of("verify", folder.toString());
        assertThat(weights.code()).isEqualTo(2);
        assertThat(weights.err()).contains("model.safetensors").doesNotContain("\tat ");
        Files.delete(folder.resolve("expected.safetensors"));
        CommandLineRun expected = CommandLineRun.of("verify", folder.toString());
        assertThat(expected.code()).isEqualTo(2);
        assertThat(expected.err()).contains("expected.safetensors", "--expected");
        assertThat(CommandLineRun.of("verify", folder.resolve("none").toString()).code())
                .isEqualTo(2);
        assertThat(CommandLineRun.of("verify").code()).isEqualTo(2);
    }

    @Test
    void expectationsOfAnotherVocabularyAreBadInput() throws IOException {
        copy("delta_net");
        Path rules = Conformance.path("ops").resolve("delta_rule.safetensors");
        CommandLineRun run =
                CommandLineRun.of("verify", folder.toString(), "--expected", rules.toString());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("input_ids");
    }

    private void copy(String model) throws IOException {
        for (String file : FILES) {
            Files.copy(Conformance.path(model).resolve(file), folder.resolve(file));
        }
    }
}
