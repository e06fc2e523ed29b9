package dev.recurrent.evaluation.task;

import dev.recurrent.evaluation.score.Scorer;
import java.io.IOException;
import java.util.List;

/**
 * Something to measure a model by. Making one checks what the user gave, so that faults show early.
 *
 * <p>Documents are scored apart from each other: in whatever batches, and on whatever machines, the
 * outcomes are the same up to rounding in the model.
 */
public interface Task {

    /** Returns the name under which {@link Tasks} knows it. */
    String name();

    /** Returns what it measures, the most telling first. */
    List<Metric> metrics();

    /** Returns the things that it asks about. */
    Documents documents();

    /**
     * Fits the task to a model.
     *
     * @param traits of the model
     * @return the task, ready to ask it
     * @throws dev.recurrent.evaluation.InvalidInputException if the model cannot be asked: its
     *     tokenizer cannot represent what the task needs, or a length is too short
     */
    Questions fit(Traits traits);

    /** A task as it is put to one model. */
    @FunctionalInterface
    interface Questions {

        /**
         * Asks about documents.
         *
         * @param scorer the model
         * @param documents some of the task's, at most as many as {@link Scorer#batch()}
         * @return one outcome each, in order
         * @throws IOException if a text cannot be read
         * @throws dev.recurrent.evaluation.InvalidInputException if a document cannot be asked
         *     about
         */
        List<Outcome> ask(Scorer scorer, List<Document> documents) throws IOException;
    }
}
