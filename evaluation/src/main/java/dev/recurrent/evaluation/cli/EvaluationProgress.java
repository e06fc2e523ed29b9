package dev.recurrent.evaluation.cli;

import dev.recurrent.evaluation.report.ResultsFolder;
import dev.recurrent.evaluation.run.EvaluationListener;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Progress;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.zoo.ModelReference;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.function.Consumer;

/** Shows an evaluation on standard error, and keeps its samples where they are wanted. */
final class EvaluationProgress implements EvaluationListener {

    private final PrintWriter err;
    private final ResultsFolder samples;

    /**
     * Constructs a listener.
     *
     * @param samples takes outcomes; null where they are not wanted
     */
    EvaluationProgress(PrintWriter err, ResultsFolder samples) {
        this.err = err;
        this.samples = samples;
    }

    @Override
    public Progress starting(ModelReference model, Task task, int length) {
        return new ProgressLine(err, model.text() + ", " + name(task, length));
    }

    private static String name(Task task, int length) {
        return length == 0 ? task.name() : task.name() + "@" + length;
    }

    @Override
    public Consumer<Outcome> outcomes(ModelReference model, Task task, int length)
            throws IOException {
        return samples == null
                ? EvaluationListener.super.outcomes(model, task, length)
                : samples.samples(model.text(), task.name(), length);
    }
}
