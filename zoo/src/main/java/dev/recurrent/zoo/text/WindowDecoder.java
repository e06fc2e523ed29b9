package dev.recurrent.zoo.text;

import java.util.Arrays;
import java.util.function.Function;

/**
 * Decodes incrementally with a decoder that only knows whole texts, in constant memory.
 *
 * <p>It decodes a window of the last tokens: those whose text was given out last (what a token
 * decodes to depends on its neighbour, so they are the context) and those whose text is still held
 * back. An unfinished character shows as U+FFFD at the end of the window's text. Decoders with byte
 * fallback show all bytes of a run that is not yet valid that way, up to four that were given out
 * and three that were not, so up to {@value #HELD} at the end are uncertain; more cannot be a
 * character.
 */
final class WindowDecoder implements TextDecoder {

    private static final char REPLACEMENT = '\uFFFD';
    private static final int HELD = 8;
    private static final int CAPACITY = 64;

    private final Function<long[], String> decode;
    private final long[] window = new long[CAPACITY];
    private int size;
    private int contextSize;
    private int given;

    /**
     * Constructs a decoder.
     *
     * @param decode decodes a whole text
     */
    WindowDecoder(Function<long[], String> decode) {
        this.decode = decode;
    }

    @Override
    public String add(long id) {
        window[size++] = id;
        String text = text();
        String piece = giveUpTo(text, certain(text));
        if (!piece.isEmpty() && given == text.length()) {
            forget(contextSize, 0);
        } else if (size == CAPACITY) {
            forget(CAPACITY / 2, text.length() - given);
        }
        return piece;
    }

    @Override
    public String flush() {
        String text = text();
        String piece = giveUpTo(text, text.length());
        size = 0;
        contextSize = 0;
        given = 0;
        return piece;
    }

    private String giveUpTo(String text, int end) {
        String piece = end > given ? text.substring(given, end) : "";
        given = Math.max(given, end);
        return piece;
    }

    /** Returns how much of the text no later token can change. */
    private static int certain(String text) {
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == REPLACEMENT) {
            end--;
        }
        return Math.max(end, text.length() - HELD);
    }

    /** Drops the window's first tokens; {@code open} characters at its end are not given out. */
    private void forget(int tokens, int open) {
        System.arraycopy(window, tokens, window, 0, size - tokens);
        size -= tokens;
        contextSize = size;
        given = Math.max(0, text().length() - open);
    }

    private String text() {
        return decode.apply(Arrays.copyOf(window, size));
    }
}
