package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.score.Prompt;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.Arrays;
import java.util.List;

/**
 * Tokens of a context and of what may follow it.
 *
 * <p>Context and continuation are encoded as one text, since that is how the model knows them. The
 * context's tokens are those with which the context alone, without the space at its end, and all
 * these texts begin; the rest of each text is its continuation. Space at a context's end thus
 * belongs to the continuations, and so does a token that reaches across the boundary: then it is
 * scored with every continuation, and their likelihoods stay comparable. Where no token reaches
 * across, these are lm-evaluation-harness' tokens.
 *
 * <p>Where nothing is left of the context, a token stands in for it: the one that the tokenizer
 * puts before every text, else the end of text, else a line break.
 */
final class Continuations {

    private static final String LINE_BREAK = "\n";

    private final Tokenizer tokenizer;
    private final long[] start;

    /**
     * Looks up what begins a text.
     *
     * @param tokenizer of the model
     * @throws InvalidInputException if the tokenizer has nothing that could
     */
    Continuations(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        start = start(tokenizer);
        if (start.length == 0) {
            throw new InvalidInputException(
                    "The tokenizer has no token that begins a text: neither a special one nor a"
                            + " line break");
        }
    }

    private static long[] start(Tokenizer tokenizer) {
        long[] empty = tokenizer.encode("");
        if (empty.length > 0) {
            return empty;
        }
        long[] end = tokenizer.endOfText().stream().mapToLong(id -> id).sorted().limit(1).toArray();
        return end.length > 0 ? end : tokenizer.encode(LINE_BREAK);
    }

    /**
     * Encodes a context and all that may follow it.
     *
     * @param context may be empty
     * @param continuations at least one
     * @param where they are from, for people
     * @return the tokens
     * @throws InvalidInputException if a continuation has no tokens
     */
    Prompt encode(String context, List<String> continuations, String where) {
        long[] alone = tokenizer.encode(context.stripTrailing());
        List<long[]> texts =
                continuations.stream().map(text -> tokenizer.encode(context + text)).toList();
        int shared = texts.stream().mapToInt(text -> sharedLength(alone, text)).min().orElseThrow();
        long[] read = shared == 0 ? start : Arrays.copyOf(alone, shared);
        List<long[]> rest =
                texts.stream().map(text -> Arrays.copyOfRange(text, shared, text.length)).toList();
        for (int i = 0; i < rest.size(); i++) {
            if (rest.get(i).length == 0) {
                throw new InvalidInputException(
                        where
                                + ": the model's tokenizer has no tokens for the answer \""
                                + continuations.get(i)
                                + "\"");
            }
        }
        return new Prompt(read, rest);
    }

    private static int sharedLength(long[] a, long[] b) {
        int mismatch = Arrays.mismatch(a, b);
        return mismatch < 0 ? a.length : mismatch;
    }
}
