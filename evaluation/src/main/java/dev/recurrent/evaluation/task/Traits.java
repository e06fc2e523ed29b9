package dev.recurrent.evaluation.task;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.stream.Collectors;

/**
 * What a task must know of a model, before its weights are loaded.
 *
 * @param name as the user gave it
 * @param tokenizer of the model; null where it has none and its vocabulary is too small for bytes
 * @param vocabulary how many token ids it knows
 */
public record Traits(String name, Tokenizer tokenizer, long vocabulary) {

    /**
     * Returns the tokenizer.
     *
     * @param task that needs it
     * @throws InvalidInputException if there is none
     */
    public Tokenizer requireTokenizer(String task) {
        if (tokenizer == null) {
            throw new InvalidInputException(
                    "Task "
                            + task
                            + " asks in text, but "
                            + name
                            + " has no tokenizer and its vocabulary of "
                            + vocabulary
                            + " is too small for bytes");
        }
        return tokenizer;
    }

    /**
     * Returns the tokenizer, if texts of some characters come back from its tokens.
     *
     * @param task that needs it
     * @param symbols the characters
     * @throws InvalidInputException if there is no tokenizer, or it loses some of them
     */
    public Tokenizer requireSymbols(String task, String symbols) {
        Tokenizer known = requireTokenizer(task);
        String read = known.decode(known.encode(symbols));
        String lost =
                symbols.chars()
                        .filter(symbol -> read.indexOf(symbol) < 0)
                        .mapToObj(Character::toString)
                        .collect(Collectors.joining());
        if (!lost.isEmpty()) {
            throw new InvalidInputException(
                    "Task "
                            + task
                            + " asks for text with "
                            + symbols
                            + ", but the tokenizer of "
                            + name
                            + " cannot represent "
                            + lost);
        }
        return known;
    }

    /**
     * Checks that the model knows enough tokens for a task that brings its own.
     *
     * @param task that brings them
     * @param needed one more than the greatest
     * @throws InvalidInputException if the vocabulary is smaller
     */
    public void requireVocabulary(String task, long needed) {
        if (vocabulary < needed) {
            throw new InvalidInputException(
                    "Task "
                            + task
                            + " has token ids up to "
                            + (needed - 1)
                            + ", but the vocabulary of "
                            + name
                            + " is [0, "
                            + vocabulary
                            + ")");
        }
    }
}
