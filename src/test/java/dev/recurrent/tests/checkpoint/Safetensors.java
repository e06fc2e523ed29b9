package dev.recurrent.tests.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Safetensors files made by hand, right or wrong. */
final class Safetensors {

    private Safetensors() {}

    /** A file with the header's true length. */
    static byte[] bytes(String header, byte... data) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return bytes(json.length, json, data);
    }

    /** A file with any length in front. */
    static byte[] bytes(long length, byte[] header, byte... data) {
        return ByteBuffer.allocate(Long.BYTES + header.length + data.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(length)
                .put(header)
                .put(data)
                .array();
    }

    /** One entry of a header. */
    static String entry(String name, String dtype, String shape, long begin, long end) {
        return String.format(
                Locale.ROOT,
                "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}",
                name,
                dtype,
                shape,
                begin,
                end);
    }

    static Path write(Path file, String header, byte... data) throws IOException {
        return Files.write(file, bytes(header, data));
    }
}
