package dev.recurrent.evaluation.task.text;

import dev.recurrent.evaluation.task.Text;
import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.function.LongConsumer;

/**
 * The tokens of a text, one after another. Bytes stream; other tokenizers look at the whole text,
 * since where it may be cut without changing tokens is known to none but them.
 */
final class TokenSource {

    private static final int BUFFER = 1 << 16;

    private final Text text;
    private final long[] ids;
    private final long size;

    /**
     * Constructs a source.
     *
     * @param tokenizer of the model
     * @param text what is read
     * @param bytes how long that is
     * @throws IOException if it cannot be read
     */
    TokenSource(Tokenizer tokenizer, Text text, long bytes) throws IOException {
        this.text = text;
        ids = tokenizer instanceof ByteTokenizer ? null : tokenizer.encode(text.string());
        size = ids == null ? bytes : ids.length;
    }

    /** Returns the number of tokens. */
    long size() {
        return size;
    }

    /** Hands over all tokens. */
    void forEach(LongConsumer consumer) throws IOException {
        if (ids != null) {
            Arrays.stream(ids).forEach(consumer);
            return;
        }
        try (InputStream in = new BufferedInputStream(text.open(), BUFFER)) {
            int value;
            while ((value = in.read()) >= 0) {
                consumer.accept(value);
            }
        }
    }

    /** Returns all tokens; there may be no more than an array holds. */
    long[] all() throws IOException {
        if (ids != null) {
            return ids;
        }
        byte[] bytes;
        try (InputStream in = text.open()) {
            bytes = in.readAllBytes();
        }
        long[] all = new long[bytes.length];
        for (int i = 0; i < all.length; i++) {
            all[i] = Byte.toUnsignedLong(bytes[i]);
        }
        return all;
    }
}
