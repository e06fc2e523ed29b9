package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.source.JsonLine;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Something that a model is asked.
 *
 * @param where file and line number, for people
 * @param choices the possible answers; only the right one where the model is to find it by itself
 * @param answer the index of the right one
 */
public record Question(String where, List<Choice> choices, int answer) {

    /** Copies the list. */
    public Question {
        choices = List.copyOf(choices);
    }

    /**
     * One answer of several is right.
     *
     * @param line where it stands
     * @param choices the answers
     * @param answer the index of the right one
     * @throws InvalidInputException if there are fewer than two answers, none of that index, one
     *     that adds nothing to its context, or text that no encoding can represent
     */
    static Question choosing(JsonLine line, List<Choice> choices, int answer) {
        if (choices.size() < 2) {
            throw line.wrong("a question needs two choices or more, not " + choices.size());
        }
        if (answer < 0 || answer >= choices.size()) {
            throw line.wrong(
                    "its answer is choice "
                            + answer
                            + ", but the choices are 0 to "
                            + (choices.size() - 1));
        }
        return checked(line, choices, answer);
    }

    /**
     * The answer is known, and the model is not told of others.
     *
     * @param line where it stands
     * @param answer the right answer
     * @throws InvalidInputException if it adds nothing to its context, or has text that no encoding
     *     can represent
     */
    static Question completing(JsonLine line, Choice answer) {
        return checked(line, List.of(answer), 0);
    }

    private static Question checked(JsonLine line, List<Choice> choices, int answer) {
        CharsetEncoder utf8 = StandardCharsets.UTF_8.newEncoder();
        for (Choice choice : choices) {
            if (choice.continuation().isEmpty()) {
                throw line.wrong("one of its answers is empty");
            }
            if (!utf8.canEncode(choice.shown())) {
                throw line.wrong("it has a surrogate without its partner, which is no character");
            }
        }
        return new Question(line.where(), choices, answer);
    }

    /** Returns the right answer. */
    Choice right() {
        return choices.get(answer);
    }
}
