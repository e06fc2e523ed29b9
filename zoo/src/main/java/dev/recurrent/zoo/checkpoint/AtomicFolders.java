package dev.recurrent.zoo.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Writes folders of files that are there whole or not at all, also after a crash: a hidden folder
 * beside the target is filled, forced to the disk and renamed.
 */
public final class AtomicFolders {

    private static final SecureRandom RANDOM = new SecureRandom();
    private static final Pattern HIDDEN = Pattern.compile("\\..+\\.[0-9a-f]{16}\\.(tmp|old)");

    private AtomicFolders() {}

    /** Fills a folder. */
    @FunctionalInterface
    public interface Content {

        /**
         * Writes everything.
         *
         * @param folder an empty folder, for files but no folders
         * @throws IOException if writing fails; the target is not made then
         */
        void writeTo(Path folder) throws IOException;
    }

    /**
     * Writes a new folder.
     *
     * @param target where; its parent must be there, and no folder of this name
     * @param content its files
     * @throws IOException if writing fails; nothing is left then
     */
    public static void write(Path target, Content content) throws IOException {
        Path made = hidden(target, "tmp");
        try {
            Files.createDirectory(made);
            content.writeTo(made);
            force(made);
            Files.move(made, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException | RuntimeException | Error e) {
            try {
                deleteTree(made);
            } catch (IOException other) {
                e.addSuppressed(other);
            }
            throw e;
        }
        syncParent(target);
    }

    /**
     * Puts a folder in the place of another. At every moment one of the two is there under its
     * name; a call that was cut short can be repeated.
     *
     * @param target the folder that goes, or went already
     * @param replacement the folder that takes its name, beside it
     * @throws IOException if deleting or renaming fails
     */
    public static void replace(Path target, Path replacement) throws IOException {
        if (Files.exists(target)) {
            delete(target);
        }
        Files.move(replacement, target, StandardCopyOption.ATOMIC_MOVE);
        syncParent(target);
    }

    /**
     * Deletes a folder of files, so that at no time a part of it is to be seen.
     *
     * @param folder which
     * @throws IOException if deleting fails
     */
    public static void delete(Path folder) throws IOException {
        Path hidden = hidden(folder, "old");
        Files.move(folder, hidden, StandardCopyOption.ATOMIC_MOVE);
        deleteTree(hidden);
    }

    /**
     * Deletes what writers that were killed left. No other writer may be at work in the folder.
     *
     * @param parent where
     * @throws IOException if listing or deleting fails
     */
    public static void deleteLeftovers(Path parent) throws IOException {
        try (DirectoryStream<Path> found = Files.newDirectoryStream(parent)) {
            for (Path path : found) {
                if (HIDDEN.matcher(path.getFileName().toString()).matches()
                        && Files.isDirectory(path)) {
                    deleteTree(path);
                }
            }
        }
    }

    private static Path hidden(Path target, String ending) {
        String unique = HexFormat.of().toHexDigits(RANDOM.nextLong());
        return target.resolveSibling("." + target.getFileName() + "." + unique + "." + ending);
    }

    private static void syncParent(Path folder) throws IOException {
        AtomicFiles.syncFolder(folder.toAbsolutePath().getParent());
    }

    private static void force(Path folder) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.force(true);
                }
            }
        }
        AtomicFiles.syncFolder(folder);
    }

    private static void deleteTree(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        List<Path> all;
        try (Stream<Path> found = Files.walk(folder)) {
            all = found.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.deleteIfExists(path);
        }
    }
}
