package dev.recurrent.evaluation.task;

import dev.recurrent.evaluation.score.Scorer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;

/** Puts a task's questions to a model, a batch of documents at a time. */
public final class TaskRunner {

    private final Task task;
    private final long seed;

    /**
     * Constructs a runner.
     *
     * @param task the task
     * @param seed of the standard errors' bootstrap
     */
    public TaskRunner(Task task, long seed) {
        this.task = task;
        this.seed = seed;
    }

    /** Returns a tally of nothing, for this task. */
    public Tally newTally() {
        return new Tally(task.metrics(), seed);
    }

    /**
     * Asks about all documents.
     *
     * @param questions of the task, fitted to the model
     * @param scorer the model
     * @param outcomes takes each document's outcome
     * @param progress is told how far it has come, after every batch
     * @return the sums
     * @throws IOException if a text cannot be read
     */
    public Tally run(
            Task.Questions questions, Scorer scorer, Consumer<Outcome> outcomes, Progress progress)
            throws IOException {
        Tally tally = newTally();
        Documents documents = task.documents();
        Iterator<Document> unread = documents.read();
        while (unread.hasNext()) {
            List<Document> batch = new ArrayList<>();
            while (batch.size() < scorer.batch() && unread.hasNext()) {
                batch.add(unread.next());
            }
            for (Outcome outcome : questions.ask(scorer, batch)) {
                outcomes.accept(outcome);
                tally.add(outcome);
            }
            progress.update((double) tally.documents() / documents.size(), tally.tokens());
        }
        return tally;
    }
}
