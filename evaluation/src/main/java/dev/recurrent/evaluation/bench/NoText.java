package dev.recurrent.evaluation.bench;

import dev.recurrent.zoo.text.TextDecoder;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.Set;

/**
 * A tokenizer whose tokens are no text and never end one.
 *
 * @param vocabulary how many there are
 */
record NoText(long vocabulary) implements Tokenizer {

    @Override
    public long[] encode(String text) {
        return new long[0];
    }

    @Override
    public String decode(long[] ids) {
        return "";
    }

    @Override
    public TextDecoder newDecoder() {
        return new TextDecoder() {
            @Override
            public String add(long id) {
                return "";
            }

            @Override
            public String flush() {
                return "";
            }
        };
    }

    @Override
    public Set<Long> endOfText() {
        return Set.of();
    }
}
