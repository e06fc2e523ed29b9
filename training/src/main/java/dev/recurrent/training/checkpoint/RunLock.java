package dev.recurrent.training.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Keeps a run's folder to one process. The lock goes with the process, however that ends. */
public final class RunLock implements AutoCloseable {

    private static final String FILE = ".lock";

    /** Closing any channel of a file gives up its process's lock (fcntl), so none may be opened. */
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path folder;
    private final FileChannel channel;

    private RunLock(Path folder, FileChannel channel) {
        this.folder = folder;
        this.channel = channel;
    }

    /**
     * Takes a folder.
     *
     * @param folder of a run
     * @return the lock, to be closed
     * @throws RunLockedException if another run is at work there, in this process or in another
     * @throws IOException if the lock's file cannot be written
     */
    public static RunLock acquire(Path folder) throws IOException {
        Path real = folder.toRealPath();
        if (!HELD.add(real)) {
            throw new RunLockedException(folder);
        }
        try {
            FileChannel channel =
                    FileChannel.open(
                            real.resolve(FILE),
                            StandardOpenOption.CREATE,
                            StandardOpenOption.WRITE);
            if (channel.tryLock() == null) {
                channel.close();
                throw new RunLockedException(folder);
            }
            return new RunLock(real, channel);
        } catch (IOException e) {
            HELD.remove(real);
            throw e;
        }
    }

    /** Gives the folder free. */
    @Override
    public void close() throws IOException {
        HELD.remove(folder);
        channel.close();
    }
}
