package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.task.source.JsonLine;

/** How questions are written in a file, one JSON object each. */
@FunctionalInterface
public interface QuestionFormat {

    /**
     * Reads a question.
     *
     * @param line one object
     * @return the question
     * @throws dev.recurrent.evaluation.InvalidInputException if something is missing or malformed
     */
    Question read(JsonLine line);
}
