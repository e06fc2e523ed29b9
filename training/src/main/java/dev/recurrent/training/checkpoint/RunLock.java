package dev.recurrent.training.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
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
            return new RunLock(real, lock(real.resolve(FILE), folder));
        } catch (IOException | RuntimeException e) {
            HELD.remove(real);
            throw e;
        }
    }

    private static FileChannel lock(Path file, Path folder) throws IOException {
        FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            if (channel.tryLock() == null) {
                throw new RunLockedException(folder);
            }
            return channel;
        } catch (OverlappingFileLockException e) {
            // A class of this name that another class loader loaded has a set of its own.
            channel.close();
            throw new RunLockedException(folder);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /** Gives the folder free. Closing twice is harmless. */
    @Override
    public synchronized void close() throws IOException {
        if (channel.isOpen()) {
            try {
                channel.close();
            } finally {
                // Not before: the file may not be opened anew while this channel can close it.
                HELD.remove(folder);
            }
        }
    }
}
