package dev.recurrent.evaluation.task;

import java.io.IOException;

/** Something to measure a model by. Making one checks its input, so that faults show early. */
public interface Task {

    /** Returns the name under which {@link Tasks} knows it. */
    String name();

    /**
     * Measures a model.
     *
     * @param subject the model
     * @param progress is told how far it has come
     * @return the scores
     * @throws IOException if input cannot be read
     */
    Measured measure(Subject subject, Progress progress) throws IOException;
}
