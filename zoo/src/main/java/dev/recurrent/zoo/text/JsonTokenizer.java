package dev.recurrent.zoo.text;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/**
 * The tokenizer of a {@code tokenizer.json}, run by Hugging Face's library through DJL, without
 * truncation or padding and without the network.
 */
public final class JsonTokenizer implements Tokenizer {

    private static final Map<String, String> OPTIONS =
            Map.of("truncation", "false", "padding", "DO_NOT_PAD", "addSpecialTokens", "true");

    private final HuggingFaceTokenizer tokenizer;
    private final long vocabulary;
    private final Set<Long> endOfText;

    private JsonTokenizer(HuggingFaceTokenizer tokenizer, long vocabulary, Set<Long> endOfText) {
        this.tokenizer = tokenizer;
        this.vocabulary = vocabulary;
        this.endOfText = Set.copyOf(endOfText);
    }

    /**
     * Opens a tokenizer. The ids that end a text are looked up beside it: {@code eos_token_id} in
     * {@code generation_config.json}, else in {@code config.json}, else {@code eos_token} in {@code
     * tokenizer_config.json}.
     *
     * @param file a {@code tokenizer.json}
     * @return the tokenizer, to be closed
     * @throws IOException if a file cannot be read
     * @throws IllegalArgumentException if the file is not a tokenizer, naming it
     */
    public static JsonTokenizer open(Path file) throws IOException {
        TokenizerFile content = TokenizerFile.read(file);
        Set<Long> endOfText = EndOfText.beside(file, content);
        try {
            HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.newInstance(file, OPTIONS);
            return new JsonTokenizer(tokenizer, content.vocabulary(), endOfText);
        } catch (RuntimeException e) {
            throw new IllegalArgumentException(file + " is not a tokenizer: " + e.getMessage(), e);
        }
    }

    @Override
    public long[] encode(String text) {
        return tokenizer.encode(Surrogates.check(text), true, false).getIds();
    }

    @Override
    public String decode(long[] ids) {
        return tokenizer.decode(ids, true);
    }

    @Override
    public TextDecoder newDecoder() {
        return new WindowDecoder(this::decode);
    }

    @Override
    public long vocabulary() {
        return vocabulary;
    }

    @Override
    public Set<Long> endOfText() {
        return endOfText;
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
