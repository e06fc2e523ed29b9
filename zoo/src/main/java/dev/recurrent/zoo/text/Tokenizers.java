package dev.recurrent.zoo.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Finds the tokenizer that belongs to a model. */
public final class Tokenizers {

    /** The file that describes a tokenizer in a model's folder. */
    public static final String FILE = "tokenizer.json";

    private Tokenizers() {}

    /**
     * Opens the tokenizer of a model's folder: its {@value #FILE}, or bytes where there is none.
     *
     * @param folder a model's folder; null for a model without one
     * @param modelVocabulary number of token ids that the model knows
     * @return the tokenizer, to be closed
     * @throws IOException if a file cannot be read
     * @throws IllegalArgumentException if the file is not a tokenizer, or has ids that the model
     *     does not know
     */
    public static Tokenizer open(Path folder, long modelVocabulary) throws IOException {
        Path file = folder == null ? null : folder.resolve(FILE);
        boolean exists = file != null && Files.exists(file);
        Tokenizer tokenizer = exists ? JsonTokenizer.open(file) : new ByteTokenizer();
        if (tokenizer.vocabulary() > modelVocabulary) {
            tokenizer.close();
            throw new IllegalArgumentException(
                    (exists ? file.toString() : "The byte tokenizer")
                            + " has ids up to "
                            + (tokenizer.vocabulary() - 1)
                            + ", but the model's vocabulary is [0, "
                            + modelVocabulary
                            + ")");
        }
        return tokenizer;
    }

    /**
     * Returns the byte tokenizer.
     *
     * @param modelVocabulary number of token ids that the model knows
     * @return the tokenizer; empty if that is too few for bytes
     */
    public static Optional<Tokenizer> bytes(long modelVocabulary) {
        Tokenizer bytes = new ByteTokenizer();
        return bytes.vocabulary() > modelVocabulary ? Optional.empty() : Optional.of(bytes);
    }
}
