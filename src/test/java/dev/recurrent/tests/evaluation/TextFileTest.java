package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.source.TextFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextFileTest {

    @TempDir private Path folder;

    @Test
    void countsWordsAndBytes() throws IOException {
        // No-break space and line separator separate words, as in Python's str.split().
        TextFile text = TextFile.of(write("  one\u00a0two\u2028three\n\n\tfour 𝄞 \n"), 0);
        assertThat(text.words()).isEqualTo(5);
        assertThat(text.bytes()).isEqualTo(Files.size(Path.of(text.where())));
    }

    @Test
    void countsAcrossItsBuffers() throws IOException {
        // Characters of 1 to 4 bytes, so that each kind is cut by the end of some buffer.
        String words = "a é ∑ 𝄞 ".repeat(50_000);
        TextFile text = TextFile.of(write(words), 0);
        assertThat(text.words()).isEqualTo(200_000);
        assertThat(text.bytes()).isEqualTo(words.getBytes(StandardCharsets.UTF_8).length);
    }

    @Test
    void keepsTheFirstLinesOnly() throws IOException {
        TextFile text = TextFile.of(write("one two\nthree\nfour five six"), 2);
        assertThat(text.words()).isEqualTo(3);
        try (InputStream in = text.open()) {
            assertThat(in.readAllBytes()).asString().isEqualTo("one two\nthree\n");
        }
        assertThat(TextFile.of(Path.of(text.where()), 9).words()).isEqualTo(6);
    }

    @Test
    void refusesWhatIsNotText() throws IOException {
        assertThatThrownBy(() -> TextFile.of(folder.resolve("none.txt"), 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("none.txt");
        Path blank = write(" \n\t ");
        assertThatThrownBy(() -> TextFile.of(blank, 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("no text");
        Path empty = write("");
        assertThatThrownBy(() -> TextFile.of(empty, 0)).isInstanceOf(InvalidInputException.class);
    }

    @Test
    void namesTheByteThatIsNotUtf8() throws IOException {
        byte[] bytes = "x".repeat(100_000).getBytes(StandardCharsets.UTF_8);
        bytes[77_777] = (byte) 0xff;
        Path wrong = Files.write(folder.resolve("wrong.txt"), bytes);
        assertThatThrownBy(() -> TextFile.of(wrong, 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("77777");
        Path cut = Files.write(folder.resolve("cut.txt"), new byte[] {'a', (byte) 0xc3});
        assertThatThrownBy(() -> TextFile.of(cut, 0))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("offset 1");
    }

    private Path write(String text) throws IOException {
        return Files.writeString(folder.resolve("text.txt"), text);
    }
}
