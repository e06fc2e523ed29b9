package dev.recurrent.training.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * Collects token ids: in memory while they are few, else in a file of 32-bit numbers that is
 * deleted in the end. The file is read by position and not mapped, since a mapped file that shrinks
 * kills the JVM.
 */
final class TokenWriter {

    private final int inMemory;
    private final Path folder;
    private int[] ids = new int[1 << 16];
    private int held;
    private long written;
    private FileChannel file;

    /**
     * Constructs a writer.
     *
     * @param inMemory how many ids to keep in memory
     * @param folder where the file is to be; null for the system's folder of temporary files
     */
    TokenWriter(int inMemory, Path folder) {
        this.inMemory = inMemory;
        this.folder = folder;
    }

    long size() {
        return written + held;
    }

    void add(long[] more) throws IOException {
        for (long id : more) {
            add(id);
        }
    }

    void add(long id) throws IOException {
        if (held == ids.length) {
            if (ids.length < inMemory) {
                ids = Arrays.copyOf(ids, Math.min(inMemory, 2 * ids.length));
            } else {
                spill();
            }
        }
        ids[held++] = Math.toIntExact(id);
    }

    private void spill() throws IOException {
        if (file == null) {
            Path path =
                    folder == null
                            ? Files.createTempFile("recurrent-", ".tokens")
                            : Files.createTempFile(folder, ".recurrent-", ".tokens");
            file =
                    FileChannel.open(
                            path,
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE,
                            StandardOpenOption.DELETE_ON_CLOSE);
        }
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * held).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(ids, 0, held);
        while (bytes.hasRemaining()) {
            file.write(bytes);
        }
        written += held;
        held = 0;
    }

    Tokens finish() throws IOException {
        if (file == null) {
            return new Memory(Arrays.copyOf(ids, held));
        }
        spill();
        ids = null;
        return new Spilled(file, written);
    }

    private record Memory(int[] ids) implements Tokens {

        @Override
        public long size() {
            return ids.length;
        }

        @Override
        public void read(long from, long[] target, int offset, int length) {
            for (int i = 0; i < length; i++) {
                target[offset + i] = ids[Math.toIntExact(from + i)];
            }
        }

        @Override
        public void close() {}
    }

    private record Spilled(FileChannel file, long size) implements Tokens {

        @Override
        public void read(long from, long[] target, int offset, int length) {
            ByteBuffer bytes =
                    ByteBuffer.allocate(Integer.BYTES * length).order(ByteOrder.LITTLE_ENDIAN);
            try {
                long start = Integer.BYTES * from;
                while (bytes.hasRemaining()) {
                    if (file.read(bytes, start + bytes.position()) < 0) {
                        throw new IOException("The file of tokens has been cut");
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            for (int i = 0; i < length; i++) {
                target[offset + i] = bytes.getInt(Integer.BYTES * i);
            }
        }

        @Override
        public void close() {
            try {
                file.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
