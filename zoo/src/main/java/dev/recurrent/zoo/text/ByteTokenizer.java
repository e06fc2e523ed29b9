package dev.recurrent.zoo.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Set;

/**
 * Tokens are the bytes of UTF-8: ids 0 to 255, no special ones.
 *
 * <p>A model may have a larger vocabulary; its ids from 256 on are no text and decode to U+FFFD.
 */
public final class ByteTokenizer implements Tokenizer {

    private static final int BYTES = 256;

    @Override
    public long[] encode(String text) {
        byte[] bytes = Surrogates.check(text).getBytes(StandardCharsets.UTF_8);
        long[] ids = new long[bytes.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = Byte.toUnsignedLong(bytes[i]);
        }
        return ids;
    }

    @Override
    public String decode(long[] ids) {
        Utf8Decoder decoder = new Utf8Decoder();
        StringBuilder text = new StringBuilder(ids.length);
        for (long id : ids) {
            text.append(decoder.add(id));
        }
        return text.append(decoder.flush()).toString();
    }

    @Override
    public TextDecoder newDecoder() {
        return new Utf8Decoder();
    }

    @Override
    public long vocabulary() {
        return BYTES;
    }

    @Override
    public Set<Long> endOfText() {
        return Set.of();
    }

    /** Keeps the bytes of an incomplete character, at most three, between calls. */
    private static final class Utf8Decoder implements TextDecoder {

        private static final String REPLACEMENT = "\uFFFD";

        private final CharsetDecoder decoder =
                StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPLACE)
                        .onUnmappableCharacter(CodingErrorAction.REPLACE);
        private final ByteBuffer bytes = ByteBuffer.allocate(8);
        private final CharBuffer chars = CharBuffer.allocate(16);

        @Override
        public String add(long id) {
            if (id < 0 || id >= BYTES) {
                return flush() + REPLACEMENT;
            }
            bytes.put((byte) id);
            bytes.flip();
            decoder.decode(bytes, chars, false);
            bytes.compact();
            return take();
        }

        @Override
        public String flush() {
            bytes.flip();
            decoder.decode(bytes, chars, true);
            decoder.flush(chars);
            decoder.reset();
            bytes.clear();
            return take();
        }

        private String take() {
            String text = chars.flip().toString();
            chars.clear();
            return text;
        }
    }
}
