package dev.recurrent.tests.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.JsonTokenizer;
import dev.recurrent.zoo.text.TextDecoder;
import dev.recurrent.zoo.text.Tokenizer;
import dev.recurrent.zoo.text.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JsonTokenizerTest {

    private static final String TEXT =
            "the caf\u00e9: \u20ac5 \ud83d\ude00\ud83d\udc69\u200d! the\u0000";

    @TempDir Path folder;

    private JsonTokenizer open() throws IOException {
        return JsonTokenizer.open(folder.resolve("tokenizer.json"));
    }

    @Test
    void byteLevelRoundTrips() throws IOException {
        int size = TokenizerFiles.writeByteLevel(folder);
        try (Tokenizer tokenizer = open()) {
            assertThat(tokenizer.vocabulary()).isEqualTo(size);
            assertThat(tokenizer.endOfText()).containsExactly(258L);
            assertThat(tokenizer.encode("the")).containsExactly(257);
            assertThat(tokenizer.encode("A\u00e9")).containsExactly(65, 0xc3, 0xa9);
            assertThat(tokenizer.encode("")).isEmpty();
            assertThat(tokenizer.decode(tokenizer.encode(TEXT))).isEqualTo(TEXT);
            assertThat(tokenizer.decode(new long[] {257, 258})).isEqualTo("the");
        }
    }

    @Test
    void nothingIsTruncated() throws IOException {
        TokenizerFiles.writeByteLevel(folder);
        try (Tokenizer tokenizer = open()) {
            assertThat(tokenizer.encode("x".repeat(5000))).hasSize(5000);
        }
    }

    @Test
    void everyPieceIsWholeCharacters() throws IOException {
        TokenizerFiles.writeByteLevel(folder);
        try (Tokenizer tokenizer = open()) {
            long[] ids = tokenizer.encode(TEXT.repeat(20));
            for (int cut = 0; cut <= ids.length; cut++) {
                TextDecoder decoder = tokenizer.newDecoder();
                StringBuilder whole = new StringBuilder();
                for (int i = 0; i < cut; i++) {
                    whole.append(decoder.add(ids[i]));
                }
                // Only an unfinished character is held back, and only it is replaced at the end.
                assertThat(TEXT.repeat(20)).startsWith(whole);
                assertThat(decoder.flush()).matches("\uFFFD?");
            }
        }
    }

    @Test
    void invalidBytesDecodeAsAtOnceAndDoNotAccumulate() throws IOException {
        TokenizerFiles.writeByteLevel(folder);
        Random random = new Random(3);
        try (Tokenizer tokenizer = open()) {
            byte[] bytes = new byte[3000];
            for (int i = 0; i < bytes.length; i++) {
                // Mostly continuation and leading bytes, so that most text is held back a while.
                bytes[i] = (byte) (random.nextInt(4) == 0 ? random.nextInt(256) : 0x80 + i % 128);
            }
            TextDecoder decoder = tokenizer.newDecoder();
            StringBuilder text = new StringBuilder();
            for (byte b : bytes) {
                text.append(decoder.add(b & 0xff));
            }
            text.append(decoder.flush());
            long[] ids = new long[bytes.length];
            Arrays.setAll(ids, i -> bytes[i] & 0xff);
            assertThat(text).hasToString(tokenizer.decode(ids));
        }
    }

    @Test
    void byteFallbackStreamsWholeCharactersAndKeepsSpaces() throws IOException {
        TokenizerFiles.writeByteFallback(folder);
        try (Tokenizer tokenizer = open()) {
            // " a" is a piece of its own; everything else comes as bytes.
            long[] spoken = {
                257, 257, 258, 0xe2 + 1, 0x82 + 1, 0xac + 1, 0xf0 + 1, 0x9f + 1, 0x98 + 1, 0x80 + 1,
                0xc3 + 1, 0xa9 + 1, 257, 258
            };
            TextDecoder decoder = tokenizer.newDecoder();
            StringBuilder joined = new StringBuilder();
            for (long id : spoken) {
                String piece = decoder.add(id);
                assertThat(piece).doesNotContain("\uFFFD");
                joined.append(piece);
            }
            joined.append(decoder.flush());
            assertThat(joined).hasToString("a ab\u20ac\ud83d\ude00\u00e9 ab");
            assertThat(tokenizer.decode(spoken)).isEqualTo(joined.toString());
        }
    }

    @Test
    void wordsBeginWithTheirToken() throws IOException {
        TokenizerFiles.writeWords(folder, "one", "two");
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": [3, 7]}");
        try (Tokenizer tokenizer = open()) {
            assertThat(tokenizer.encode("")).containsExactly(1);
            assertThat(tokenizer.encode("two one")).containsExactly(1, 3, 2);
            assertThat(tokenizer.decode(new long[] {1, 3, 2})).isEqualTo("two one");
            assertThat(tokenizer.endOfText()).containsExactlyInAnyOrder(3L, 7L);
            TextDecoder decoder = tokenizer.newDecoder();
            String streamed = decoder.add(1) + decoder.add(3) + decoder.add(2) + decoder.add(2);
            assertThat(streamed + decoder.flush()).isEqualTo("two one one");
        }
    }

    @Test
    void generationConfigSaysWhatEndsATextBeforeConfig() throws IOException {
        TokenizerFiles.writeWords(folder, "one");
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": 2}");
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": 1}");
        try (Tokenizer tokenizer = open()) {
            assertThat(tokenizer.endOfText()).containsExactly(1L);
        }
    }

    @Test
    void folderWithoutFileHasBytes() throws IOException {
        assertThat(Tokenizers.open(folder, 256)).isInstanceOf(ByteTokenizer.class);
        assertThatThrownBy(() -> Tokenizers.open(folder, 255))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("byte tokenizer")
                .hasMessageContaining("255");
    }

    @Test
    void tokenizerMustFitTheVocabulary() throws IOException {
        TokenizerFiles.writeByteLevel(folder);
        Tokenizers.open(folder, 259).close();
        assertThatThrownBy(() -> Tokenizers.open(folder, 258))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("tokenizer.json")
                .hasMessageContaining("ids up to 258")
                .hasMessageContaining("[0, 258)");
    }

    @Test
    void brokenFilesAreNamed() throws IOException {
        Path file = folder.resolve("tokenizer.json");
        for (String content :
                new String[] {
                    "",
                    "[",
                    "{}",
                    "{\"model\": 3}",
                    "{\"model\": {\"vocab\": {\"a\": \"b\"}}}",
                    "{\"model\": {\"type\": \"Nothing\", \"vocab\": {\"a\": 0}}}"
                }) {
            Files.writeString(file, content);
            assertThatThrownBy(() -> JsonTokenizer.open(file))
                    .as(content)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(file.toString());
        }
    }

    @Test
    void closingTwiceIsHarmless() throws IOException {
        TokenizerFiles.writeByteLevel(folder);
        Tokenizer tokenizer = open();
        tokenizer.close();
        tokenizer.close();
        assertThatThrownBy(() -> tokenizer.encode("a")).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void unpairedSurrogatesAreRefused() throws IOException {
        TokenizerFiles.writeByteLevel(folder);
        try (Tokenizer tokenizer = open()) {
            assertThatThrownBy(() -> tokenizer.encode("\ud83d"))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }
}
