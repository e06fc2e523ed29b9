package dev.recurrent.evaluation.task.needle;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.Documents;
import dev.recurrent.evaluation.task.Traits;
import java.util.function.LongToIntFunction;
import java.util.stream.LongStream;

/** Checks of a length in tokens, which means something only with a model's tokenizer. */
final class Lengths {

    /** What a text has where the user says nothing. */
    static final int INITIAL = 1024;

    private Lengths() {}

    /**
     * Checks that every document fits at its shortest.
     *
     * @param task its name
     * @param traits of the model
     * @param length the most tokens
     * @param documents of the task
     * @param tokens how many a document has at least
     * @throws InvalidInputException if one has more, naming the most that one has
     */
    static void require(
            String task, Traits traits, int length, Documents documents, LongToIntFunction tokens) {
        int least = LongStream.range(0, documents.size()).mapToInt(tokens).max().orElse(0);
        if (length < least) {
            throw new InvalidInputException(
                    "Task "
                            + task
                            + " needs a length of at least "
                            + least
                            + " tokens with the tokenizer of "
                            + traits.name()
                            + ", not "
                            + length);
        }
    }
}
