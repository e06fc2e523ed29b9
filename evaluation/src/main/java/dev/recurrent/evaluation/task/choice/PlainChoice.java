package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.source.JsonLine;
import java.util.List;

/** Questions of the user's own, in a form that needs no template. */
public final class PlainChoice {

    /** The task among the others. */
    public static final TaskType TYPE =
            QuestionTask.type(
                    "multiple_choice",
                    "questions of your own: context, choices and the answer's index",
                    PlainChoice::read,
                    Grading.NORMALIZED_CHOICE);

    private PlainChoice() {}

    private static Question read(JsonLine line) {
        String context = line.string(line.has("query") ? "query" : "context");
        List<Choice> choices =
                line.strings("choices").stream().map(text -> Choice.of(context, text)).toList();
        return Question.choosing(line, choices, line.integer(line.has("gold") ? "gold" : "answer"));
    }
}
