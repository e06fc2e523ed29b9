package dev.recurrent.tests.training.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.tests.support.ForkedJvm;
import dev.recurrent.training.checkpoint.RunLock;
import dev.recurrent.training.checkpoint.RunLockedException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunLockTest {

    @TempDir Path folder;

    @Test
    void oneRunWorksInAFolder() throws Exception {
        RunLock lock = RunLock.acquire(folder);
        assertThatThrownBy(() -> RunLock.acquire(folder))
                .isInstanceOf(RunLockedException.class)
                .hasMessageContaining("Another run is at work in " + folder);
        assertThat(ForkedJvm.run(List.of(), Other.class, folder.toString()).output())
                .contains("locked");
        lock.close();
        RunLock.acquire(folder).close();
        assertThat(ForkedJvm.run(List.of(), Other.class, folder.toString()).output())
                .contains("free");
    }

    /** Tries to take the folder. */
    static final class Other {

        private Other() {}

        public static void main(String[] arguments) throws IOException {
            try {
                RunLock.acquire(Path.of(arguments[0])).close();
                System.out.println("free");
            } catch (RunLockedException e) {
                System.out.println("locked");
            }
        }
    }
}
