package dev.recurrent.evaluation.run;

import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Progress;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.zoo.ModelReference;
import java.io.IOException;
import java.util.function.Consumer;

/** Is told what an evaluation does. */
public interface EvaluationListener {

    /** Nobody is told. */
    EvaluationListener NONE = new EvaluationListener() {};

    /**
     * Called before a task begins.
     *
     * @param length of its sequences as the user chose it; 0 for the task's own
     * @return is told how far it has come
     */
    default Progress starting(ModelReference model, Task task, int length) {
        return Progress.NONE;
    }

    /**
     * Called before a task begins.
     *
     * @return takes every document's outcome
     * @throws IOException if outcomes are to be kept and cannot be
     */
    default Consumer<Outcome> outcomes(ModelReference model, Task task, int length)
            throws IOException {
        return outcome -> {};
    }
}
