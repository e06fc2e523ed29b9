package dev.recurrent.blocks.cuda;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Machine code on disk, one file for everything that it depends on. A file is the SHA-256 of the
 * code and the code; one that is damaged counts as missing. Processes may share a folder: files
 * appear at once or not at all. A folder that cannot be used costs time, not the kernel.
 */
public final class CubinCache {

    private static final Logger LOGGER = LoggerFactory.getLogger(CubinCache.class);
    private static final int DIGEST_BYTES = 32;

    private final Path folder;

    /**
     * Constructs a cache.
     *
     * @param folder is made at the first write
     */
    public CubinCache(Path folder) {
        this.folder = folder;
    }

    /**
     * Returns the code of a key, compiled if it is not there whole.
     *
     * @param key everything that the code depends on, in a fixed order
     * @param compiler makes the code
     * @return the code
     */
    public byte[] get(List<String> key, Supplier<byte[]> compiler) {
        Path file = file(key);
        byte[] known = read(file);
        if (known != null) {
            return known;
        }
        byte[] made = compiler.get();
        write(file, made);
        return made;
    }

    /**
     * Returns where the code of a key lies or would lie.
     *
     * @param key as for {@link #get}
     * @return a file in the folder
     */
    public Path file(List<String> key) {
        MessageDigest digest = sha256();
        for (String part : key) {
            byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
            // Lengths keep {"ab", "c"} and {"a", "bc"} apart.
            digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).flip());
            digest.update(bytes);
        }
        return folder.resolve(HexFormat.of().formatHex(digest.digest()) + ".cubin");
    }

    private static byte[] read(Path file) {
        try {
            byte[] bytes = Files.readAllBytes(file);
            if (bytes.length > DIGEST_BYTES) {
                byte[] code = Arrays.copyOfRange(bytes, DIGEST_BYTES, bytes.length);
                byte[] digest = Arrays.copyOf(bytes, DIGEST_BYTES);
                if (MessageDigest.isEqual(digest, sha256().digest(code))) {
                    return code;
                }
            }
            LOGGER.warn("{} is damaged: its kernel is compiled again", file);
        } catch (NoSuchFileException e) {
            LOGGER.debug("{} is not there yet", file);
        } catch (IOException e) {
            LOGGER.warn("{} cannot be read: its kernel is compiled again ({})", file, e.toString());
        }
        return null;
    }

    private void write(Path file, byte[] code) {
        try {
            Files.createDirectories(folder);
            Path temporary = Files.createTempFile(folder, "cubin", ".part");
            try {
                ByteBuffer bytes = ByteBuffer.allocate(DIGEST_BYTES + code.length);
                Files.write(temporary, bytes.put(sha256().digest(code)).put(code).array());
                Files.move(
                        temporary,
                        file,
                        StandardCopyOption.ATOMIC_MOVE,
                        StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(temporary);
            }
        } catch (IOException e) {
            LOGGER.warn(
                    "Kernels cannot be kept in {} and are compiled in every process ({})",
                    folder,
                    e.toString());
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("Every Java platform has SHA-256", e);
        }
    }
}
