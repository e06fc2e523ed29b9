package dev.recurrent.evaluation.spark;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDManager;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Tally;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskRunner;
import java.io.IOException;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.FlatMapFunction;

/** Scores the batches of a partition, and returns their packed {@link Tally}; none of nothing. */
final class PartitionScorer implements FlatMapFunction<Iterator<List<Document>>, byte[]> {

    private static final long serialVersionUID = 1L;

    private final EvaluationRequest request;

    PartitionScorer(EvaluationRequest request) {
        this.request = request;
    }

    @Override
    public Iterator<byte[]> call(Iterator<List<Document>> batches)
            throws IOException, MalformedModelException {
        if (!batches.hasNext()) {
            return Collections.emptyIterator();
        }
        Task task = request.newTaskForOthersDocuments();
        Tally tally = new TaskRunner(task, request.seed()).newTally();
        try (SharedModel shared = SharedModel.use(request);
                NDManager manager = shared.pretrained().manager().newSubManager()) {
            Task.Questions questions = task.fit(shared.traits());
            Scorer scorer =
                    new Scorer(
                            shared.pretrained().model(),
                            shared.traits().tokenizer(),
                            manager,
                            request.batch());
            while (batches.hasNext()) {
                for (Outcome outcome : questions.ask(scorer, batches.next())) {
                    tally.add(outcome);
                }
            }
        }
        return List.of(Packed.of(tally)).iterator();
    }
}
