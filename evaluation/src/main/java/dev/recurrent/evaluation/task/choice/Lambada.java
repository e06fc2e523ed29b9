package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.source.JsonLine;

/**
 * The last word of a passage that only the whole passage tells (Paperno et al., arXiv 1606.06031).
 * The last word is what follows the last space; it is scored with that space.
 */
public final class Lambada {

    /** The task among the others. */
    public static final TaskType TYPE =
            QuestionTask.type(
                    "lambada",
                    "the last word of a passage, which only the whole passage tells",
                    line -> lastWord(line, line.string("text")),
                    Grading.COMPLETION);

    private Lambada() {}

    /**
     * Asks for a text's last word.
     *
     * @param line where the text is from
     * @param text the text; space at its end does not count
     * @throws InvalidInputException if there are not two words
     */
    static Question lastWord(JsonLine line, String text) {
        String stripped = text.stripTrailing();
        int space = stripped.lastIndexOf(' ');
        if (space < 0 || stripped.substring(0, space).isBlank()) {
            throw line.wrong("its text has no last word after others and a space");
        }
        return Question.completing(
                line, Choice.of(stripped.substring(0, space), stripped.substring(space + 1)));
    }
}
