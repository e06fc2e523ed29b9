package dev.recurrent.training.checkpoint;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import dev.recurrent.zoo.checkpoint.AtomicFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * What a checkpoint's folder must hold.
 *
 * @param step after which it was saved
 * @param validationLoss at that step; null if it is not known
 * @param files all others, by name
 */
record Manifest(long step, Double validationLoss, Map<String, Entry> files) {

    static final String FILE = "manifest.json";

    private static final long MAX_BYTES = 16L << 20;
    private static final Gson JSON =
            new GsonBuilder().setPrettyPrinting().serializeNulls().create();

    /**
     * A file.
     *
     * @param bytes its size
     * @param crc32c its checksum
     */
    record Entry(long bytes, long crc32c) {}

    /** Describes the files of a folder. */
    static Manifest of(Path folder, long step, double validationLoss) throws IOException {
        Map<String, Entry> files = new TreeMap<>();
        try (Stream<Path> found = Files.list(folder)) {
            for (Path file : found.toList()) {
                files.put(file.getFileName().toString(), entry(file));
            }
        }
        return new Manifest(step, Double.isFinite(validationLoss) ? validationLoss : null, files);
    }

    void write(Path folder) throws IOException {
        AtomicFiles.writeString(folder.resolve(FILE), JSON.toJson(this) + "\n");
    }

    /**
     * Reads a folder's manifest and compares its files, byte for byte.
     *
     * @throws IOException if something is missing or is not what was saved; the message says what
     */
    static Manifest verified(Path folder) throws IOException {
        Manifest manifest = complete(folder);
        for (Map.Entry<String, Entry> wanted : manifest.files.entrySet()) {
            if (!entry(folder.resolve(wanted.getKey())).equals(wanted.getValue())) {
                throw new IOException(wanted.getKey() + " is not what was saved");
            }
        }
        return manifest;
    }

    /**
     * Reads a folder's manifest and compares its files' sizes.
     *
     * @throws IOException if something is missing or of another size; the message says what
     */
    static Manifest complete(Path folder) throws IOException {
        Manifest manifest = read(folder.resolve(FILE));
        for (Map.Entry<String, Entry> wanted : manifest.files.entrySet()) {
            Path file = inside(folder, wanted.getKey());
            if (!Files.isRegularFile(file)) {
                throw new IOException(wanted.getKey() + " is missing");
            }
            if (Files.size(file) != wanted.getValue().bytes()) {
                throw new IOException(
                        wanted.getKey()
                                + " has "
                                + Files.size(file)
                                + " bytes, not "
                                + wanted.getValue().bytes());
            }
        }
        return manifest;
    }

    private static Path inside(Path folder, String name) throws IOException {
        try {
            Path file = folder.resolve(name);
            if (folder.equals(file.normalize().getParent())) {
                return file;
            }
        } catch (InvalidPathException e) {
            throw new IOException(FILE + " names a file that cannot be", e);
        }
        throw new IOException(FILE + " names " + name + ", which is no file of this folder");
    }

    private static Manifest read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IOException(FILE + " is missing");
        }
        if (Files.size(file) > MAX_BYTES) {
            throw new IOException(FILE + " has more than " + MAX_BYTES + " bytes");
        }
        try {
            Manifest manifest = JSON.fromJson(Files.readString(file), Manifest.class);
            if (manifest == null || manifest.files == null || manifest.files.containsValue(null)) {
                throw new IOException(FILE + " is incomplete");
            }
            return manifest;
        } catch (JsonParseException | CharacterCodingException e) {
            throw new IOException(FILE + " is malformed", e);
        }
    }

    private static Entry entry(Path file) throws IOException {
        CRC32C checksum = new CRC32C();
        byte[] buffer = new byte[1 << 16];
        long bytes = 0;
        try (InputStream in = Files.newInputStream(file)) {
            int read;
            while ((read = in.read(buffer)) >= 0) {
                checksum.update(buffer, 0, read);
                bytes += read;
            }
        }
        return new Entry(bytes, checksum.getValue());
    }

    double loss() {
        return validationLoss == null ? Double.NaN : validationLoss;
    }
}
