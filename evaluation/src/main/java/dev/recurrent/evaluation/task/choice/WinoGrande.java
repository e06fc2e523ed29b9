package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.source.JsonLine;
import java.util.List;
import java.util.stream.Stream;

/**
 * Whom a pronoun means (Sakaguchi et al., arXiv 1907.10641). The blank is filled with either name,
 * and what is scored is the rest of the sentence: partial evaluation (Trinh and Le, arXiv
 * 1806.02847). So the contexts differ and the continuation is the same.
 */
public final class WinoGrande {

    /** The task among the others. */
    public static final TaskType TYPE =
            QuestionTask.type(
                    "winogrande",
                    "which of two names fits the blank of a sentence",
                    WinoGrande::read,
                    Grading.CHOICE);

    private static final String BLANK = "_";

    private WinoGrande() {}

    private static Question read(JsonLine line) {
        String sentence = line.string("sentence");
        int blank = sentence.indexOf(BLANK);
        if (blank < 0) {
            throw line.wrong("its \"sentence\" has no " + BLANK + " to fill");
        }
        String rest = sentence.substring(blank + BLANK.length()).strip();
        if (rest.isEmpty()) {
            throw line.wrong("nothing follows the " + BLANK + " of its \"sentence\"");
        }
        int answer = line.integer("answer");
        if (answer != 1 && answer != 2) {
            throw line.wrong("its \"answer\" is " + answer + ", not 1 or 2");
        }
        List<Choice> choices =
                Stream.of("option1", "option2")
                        .map(field -> sentence.substring(0, blank) + line.string(field))
                        .map(context -> Choice.of(context, rest))
                        .toList();
        return Question.choosing(line, choices, answer - 1);
    }
}
