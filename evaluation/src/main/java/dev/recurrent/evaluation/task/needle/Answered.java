package dev.recurrent.evaluation.task.needle;

import dev.recurrent.evaluation.score.Prompt;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.Arrays;
import java.util.List;

/**
 * The tokens of a prompt and of its answer, split where the text with the answer begins to differ
 * from the text without.
 *
 * @param prompt at least one token
 * @param answer at least one token
 */
record Answered(long[] prompt, long[] answer) {

    static Answered of(Tokenizer tokenizer, String prompt, String answer) {
        long[] all = tokenizer.encode(prompt + answer);
        int common = Arrays.mismatch(all, tokenizer.encode(prompt));
        return new Answered(
                Arrays.copyOf(all, common), Arrays.copyOfRange(all, common, all.length));
    }

    int tokens() {
        return prompt.length + answer.length;
    }

    /** All but the last, after which nothing is asked. */
    int read() {
        return tokens() - 1;
    }

    Prompt question() {
        return new Prompt(prompt, List.of(answer));
    }
}
