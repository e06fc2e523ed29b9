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

    @Test
    void closingTwiceDoesNotFreeWhatAnotherRunHasTaken() throws Exception {
        RunLock first = RunLock.acquire(folder);
        first.close();
        RunLock second = RunLock.acquire(folder);
        first.close();
        assertThatThrownBy(() -> RunLock.acquire(folder)).isInstanceOf(RunLockedException.class);
        second.close();
    }

    @Test
    void theLockGoesWithItsProcess() throws Exception {
        assertThat(ForkedJvm.run(List.of(), Halted.class, folder.toString()).output())
                .contains("taken");
        RunLock.acquire(folder).close();
    }

    /** Takes the folder and ends without any clean-up. */
    static final class Halted {

        private Halted() {}

        public static void main(String[] arguments) throws IOException {
            RunLock lock = RunLock.acquire(Path.of(arguments[0]));
            System.out.println("taken " + lock);
            Runtime.getRuntime().halt(0);
        }
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
