package dev.recurrent.tests.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.TextDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ByteTokenizerTest {

    /** Characters of one, two, three and four bytes, combining marks and NUL. */
    private static final String TEXT = "a\u00e9\u20ac\ud83d\ude00\u0000e\u0301\ud83d\udc69\u200d\n";

    private final ByteTokenizer tokenizer = new ByteTokenizer();

    @Test
    void idsAreTheBytesOfUtf8() {
        assertThat(tokenizer.encode("A\u00e9")).containsExactly(65, 0xc3, 0xa9);
        assertThat(tokenizer.encode("")).isEmpty();
        assertThat(tokenizer.vocabulary()).isEqualTo(256);
        assertThat(tokenizer.endOfText()).isEmpty();
        assertThat(tokenizer.decode(tokenizer.encode(TEXT))).isEqualTo(TEXT);
    }

    @Test
    void everyPieceIsWholeCharacters() {
        StringBuilder joined = new StringBuilder();
        TextDecoder decoder = tokenizer.newDecoder();
        for (long id : tokenizer.encode(TEXT)) {
            String piece = decoder.add(id);
            // A piece that is no valid UTF-16, or replaces a part of a character, is not in TEXT.
            assertThat(piece.codePoints().allMatch(c -> TEXT.codePoints().anyMatch(d -> c == d)))
                    .isTrue();
            joined.append(piece);
        }
        assertThat(decoder.flush()).isEmpty();
        assertThat(joined).hasToString(TEXT);
    }

    @Test
    void everyPrefixDecodesToItsWholeCharactersAndOneReplacement() {
        long[] ids = tokenizer.encode(TEXT);
        for (int cut = 0; cut <= ids.length; cut++) {
            TextDecoder decoder = tokenizer.newDecoder();
            StringBuilder whole = new StringBuilder();
            for (int i = 0; i < cut; i++) {
                whole.append(decoder.add(ids[i]));
            }
            assertThat(TEXT).startsWith(whole);
            int used = whole.toString().getBytes(StandardCharsets.UTF_8).length;
            assertThat(cut - used).isBetween(0, 3);
            assertThat(decoder.flush()).isEqualTo(used == cut ? "" : "\uFFFD");
        }
    }

    @Test
    void decodesAnyBytesAsJavaDoes() {
        Random random = new Random(5);
        for (int n = 0; n < 200; n++) {
            byte[] bytes = new byte[random.nextInt(40)];
            random.nextBytes(bytes);
            long[] ids = new long[bytes.length];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = bytes[i] & 0xff;
            }
            String expected = new String(bytes, StandardCharsets.UTF_8);
            assertThat(tokenizer.decode(ids)).isEqualTo(expected);
        }
    }

    @Test
    void idsBeyondBytesAreReplaced() {
        assertThat(tokenizer.decode(new long[] {65, 256, 66, 0xc3, 5000, 67}))
                .isEqualTo("A\uFFFDB\uFFFD\uFFFDC");
    }

    @Test
    void unpairedSurrogatesAreRefused() {
        for (String text : new String[] {"ab\ud83d", "ab\ud83dx", "ab\ude00x"}) {
            assertThatThrownBy(() -> tokenizer.encode(text))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("unpaired surrogate")
                    .hasMessageContaining("index 2");
        }
    }
}
