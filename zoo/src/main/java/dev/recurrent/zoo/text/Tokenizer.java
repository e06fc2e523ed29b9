package dev.recurrent.zoo.text;

import java.util.Set;

/** Maps text to token ids and back. Implementations may be used by several threads at once. */
public interface Tokenizer extends AutoCloseable {

    /**
     * Splits text into tokens, adding those that the tokenizer puts around every text (such as a
     * beginning-of-text token). Nothing is cut off and nothing is padded.
     *
     * @param text any text, also an empty one
     * @return ids in [0, {@link #vocabulary()})
     * @throws IllegalArgumentException if the text has a surrogate without its partner, which no
     *     encoding can represent
     */
    long[] encode(String text);

    /**
     * Joins tokens to text, leaving out special tokens. Bytes that are not text become U+FFFD.
     *
     * @param ids any ids
     * @return the text
     */
    String decode(long[] ids);

    /** Starts decoding ids that come one by one. */
    TextDecoder newDecoder();

    /** Returns one more than the greatest id that {@link #encode} can return. */
    long vocabulary();

    /** Returns the ids that end a text, empty where the tokenizer has none. */
    Set<Long> endOfText();

    /** Frees what the tokenizer holds. Closing twice is harmless. */
    @Override
    default void close() {}
}
