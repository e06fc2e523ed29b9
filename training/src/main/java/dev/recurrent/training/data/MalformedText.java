package dev.recurrent.training.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where a file stops being UTF-8. */
final class MalformedText {

    private static final int PIECE = 1 << 16;

    private MalformedText() {}

    /**
     * Reads a file up to the first byte that no UTF-8 has there.
     *
     * @param file any file
     * @return how many bytes stand before it; −1 if all of the file is UTF-8
     * @throws IOException if it cannot be read
     */
    static long firstByte(Path file) throws IOException {
        CharsetDecoder decoder =
                StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPORT)
                        .onUnmappableCharacter(CodingErrorAction.REPORT);
        ByteBuffer bytes = ByteBuffer.allocate(PIECE);
        CharBuffer characters = CharBuffer.allocate(PIECE);
        long before = 0;
        try (ReadableByteChannel channel = Files.newByteChannel(file)) {
            boolean isLast = false;
            while (!isLast) {
                isLast = channel.read(bytes) < 0;
                bytes.flip();
                CoderResult result = decoder.decode(bytes, characters.clear(), isLast);
                before += bytes.position();
                if (result.isError()) {
                    return before;
                }
                bytes.compact();
            }
        }
        return -1;
    }
}
