package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.source.JsonLine;
import java.util.List;

/** Which of two ways reaches a goal in the physical world (Bisk et al., arXiv 1911.11641). */
public final class Piqa {

    /** The task among the others. */
    public static final TaskType TYPE =
            QuestionTask.type(
                    "piqa",
                    "which of two ways reaches a goal in the physical world",
                    Piqa::read,
                    Grading.NORMALIZED_CHOICE);

    private Piqa() {}

    private static Question read(JsonLine line) {
        String query = "Question: " + line.string("goal") + "\nAnswer:";
        return Question.choosing(
                line,
                List.of(
                        Choice.of(query, line.string("sol1")),
                        Choice.of(query, line.string("sol2"))),
                line.integer("label"));
    }
}
