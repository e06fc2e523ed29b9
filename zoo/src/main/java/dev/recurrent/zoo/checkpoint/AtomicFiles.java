package dev.recurrent.zoo.checkpoint;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Writes files that are there whole or not at all, also after a crash: to a temporary file in the
 * same folder, forced to the disk, moved over the old file in one step, and the folder synced.
 */
public final class AtomicFiles {

    private static final SecureRandom RANDOM = new SecureRandom();
    private static final Pattern TEMPORARY = Pattern.compile("\\..+\\.[0-9a-f]{16}\\.tmp");

    private AtomicFiles() {}

    /** Writes a file's content. */
    @FunctionalInterface
    public interface Content {

        /**
         * Writes everything.
         *
         * @param channel an empty file, not to be closed
         * @throws IOException if writing fails; the old file stays then
         */
        void writeTo(FileChannel channel) throws IOException;
    }

    /**
     * Writes a file or replaces it.
     *
     * @param file where; its folder must be there
     * @param content what
     * @throws IOException if writing fails; the old file is untouched then, and nothing is left
     *     beside it
     */
    public static void write(Path file, Content content) throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        String unique = HexFormat.of().toHexDigits(RANDOM.nextLong());
        Path temporary = folder.resolve("." + file.getFileName() + "." + unique + ".tmp");
        try {
            try (FileChannel channel =
                    FileChannel.open(
                            temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                content.writeTo(channel);
                channel.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
        syncFolder(folder);
    }

    /**
     * Writes a text file in UTF-8 or replaces it.
     *
     * @param file where; its folder must be there
     * @param text what
     * @throws IOException if writing fails; the old file is untouched then
     */
    public static void writeString(Path file, String text) throws IOException {
        ByteBuffer bytes = StandardCharsets.UTF_8.encode(text);
        write(
                file,
                channel -> {
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                });
    }

    /**
     * Deletes the temporary files of writers that were killed. No other writer may be at work in
     * the folder.
     *
     * @param folder where
     * @throws IOException if listing or deleting fails
     */
    public static void deleteLeftovers(Path folder) throws IOException {
        deleteMatching(folder, TEMPORARY, Set.of());
    }

    /** Deletes the files whose whole name matches, but for those kept. */
    static void deleteMatching(Path folder, Pattern name, Set<String> kept) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                String found = file.getFileName().toString();
                if (name.matcher(found).matches() && !kept.contains(found)) {
                    Files.delete(file);
                }
            }
        }
    }

    /** Makes moves and deletions in a folder last. */
    static void syncFolder(Path folder) throws IOException {
        // Windows cannot open a folder; its file system keeps a journal of its own.
        if (File.separatorChar == '/') {
            try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }
}
