package dev.recurrent.evaluation.task;

import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;

/**
 * The tokens of a text file, one after another. Bytes stream; other tokenizers look at the whole
 * text, since where it may be cut without changing tokens is known to none but them.
 */
final class TokenSource {

    private static final int BUFFER = 1 << 12;

    /** Takes tokens. */
    interface Consumer {

        /**
         * Called for each token.
         *
         * @param id the token
         * @param done the part of the text before it, in [0, 1]
         */
        void accept(long id, double done);
    }

    private final Tokenizer tokenizer;
    private final TextFile text;

    TokenSource(Tokenizer tokenizer, TextFile text) {
        this.tokenizer = tokenizer;
        this.text = text;
    }

    /** Hands over all tokens. */
    void forEach(Consumer consumer) throws IOException {
        if (tokenizer instanceof ByteTokenizer) {
            stream(consumer);
        } else {
            whole(consumer);
        }
    }

    private void whole(Consumer consumer) throws IOException {
        try (InputStream in = text.open()) {
            long[] ids = tokenizer.encode(new String(in.readAllBytes(), StandardCharsets.UTF_8));
            for (int i = 0; i < ids.length; i++) {
                consumer.accept(ids[i], (double) i / ids.length);
            }
        }
    }

    private void stream(Consumer consumer) throws IOException {
        char[] buffer = new char[BUFFER];
        long count = 0;
        int kept = 0;
        try (Reader reader = new InputStreamReader(text.open(), StandardCharsets.UTF_8)) {
            int read;
            while ((read = reader.read(buffer, kept, buffer.length - kept)) >= 0) {
                int size = kept + read;
                // A character outside the basic plane is two chars, which stay together.
                kept = Character.isHighSurrogate(buffer[size - 1]) ? 1 : 0;
                for (long id : tokenizer.encode(new String(buffer, 0, size - kept))) {
                    consumer.accept(id, (double) count++ / text.bytes());
                }
                buffer[0] = buffer[size - 1];
            }
        }
    }
}
