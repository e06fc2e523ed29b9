package dev.recurrent.tests.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.recurrent.tests.support.ForkedJvm;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each broken rule of the format is refused with its name, and costs no memory. */
class MalformedFileTest {

    @TempDir Path folder;

    @ParameterizedTest
    @MethodSource("dev.recurrent.tests.checkpoint.MalformedFile#corpus")
    void namesFileTensorAndRule(MalformedFile malformed) throws Exception {
        Path file = malformed.writeTo(folder);
        CheckpointException e =
                catchThrowableOfType(CheckpointException.class, () -> Checkpoint.open(file));
        assertThat(e).isNotNull();
        assertThat(e.getFile()).isEqualTo(file);
        assertThat(e.getTensor()).isEqualTo(malformed.tensor());
        assertThat(e.getRule()).contains(malformed.rule());
        assertThat(e).hasMessageStartingWith(file.toString()).hasMessageContaining(e.getRule());
        if (malformed.tensor() != null) {
            assertThat(e).hasMessageContaining("tensor '" + malformed.tensor() + "'");
        }
        assertThat(e.getMessage()).hasSizeLessThan(1000);
    }

    @Test
    void allocatesNoMoreThanTheFile() throws Exception {
        ForkedJvm.Result result =
                ForkedJvm.run(List.of("-Xmx64m"), SmallHeap.class, folder.toString());
        assertThat(result.output()).contains("refused " + MalformedFile.corpus().size());
        assertThat(result.exit()).isZero();
    }

    /** Opens the whole corpus; anything but a refusal ends the process. */
    static final class SmallHeap {

        private SmallHeap() {}

        public static void main(String[] arguments) throws Exception {
            int refused = 0;
            for (MalformedFile malformed : MalformedFile.corpus()) {
                try (Checkpoint checkpoint =
                        Checkpoint.open(malformed.writeTo(Path.of(arguments[0])))) {
                    throw new AssertionError(malformed + " was read: " + checkpoint.tensors());
                } catch (CheckpointException e) {
                    refused++;
                }
            }
            System.out.println("refused " + refused);
        }
    }
}
