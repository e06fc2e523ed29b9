package dev.recurrent.evaluation.task.recall;

import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.score.Scores;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.Documents;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.training.data.Seeds;
import dev.recurrent.training.data.SyntheticTask;
import java.util.ArrayList;
import java.util.List;

/**
 * Drawn token ids with labels where an answer is wanted. A document is the number of an example; at
 * each labelled place the model's most probable token is compared with the label.
 *
 * <p>{@code acc} is the part of its labelled places that an example has right, averaged over
 * examples, each an observation; examples have equally many, so this is the accuracy over all
 * labelled places. By gap, an example's part is that of its places in the bucket. {@code
 * exact_match} is 1 for an example that has all right.
 *
 * <p>The examples are a test split: their seed is derived from the user's by hashing, so none is
 * among those that a training run with the same seed, or its complement, draws.
 */
final class RecallTask implements Task {

    static final Metric ACCURACY = Metric.accuracy("acc");
    static final Metric EXACT = Metric.accuracy("exact_match");

    /** "test" in ASCII. */
    private static final long TEST = 0x74657374;

    private final RecallKind kind;
    private final int length;
    private final Documents documents;
    private final long seed;

    RecallTask(RecallKind kind, int length, long examples, long seed) {
        this.kind = kind;
        this.length = length;
        documents = Documents.drawn(examples);
        this.seed = Seeds.mix(seed, TEST);
    }

    @Override
    public String name() {
        return kind.taskName();
    }

    @Override
    public List<Metric> metrics() {
        return List.of(ACCURACY, EXACT);
    }

    @Override
    public Documents documents() {
        return documents;
    }

    @Override
    public Questions fit(Traits traits) {
        traits.requireVocabulary(name(), kind.leastVocabulary(length));
        SyntheticTask examples = kind.draw(length, traits.vocabulary());
        return (scorer, asked) -> ask(examples, scorer, asked);
    }

    private List<Outcome> ask(SyntheticTask examples, Scorer scorer, List<Document> asked) {
        List<LabelledRow> rows =
                asked.stream()
                        .map(document -> examples.example(seed, document.index()))
                        .map(LabelledRow::of)
                        .toList();
        List<Scores> scores = scorer.score(rows.stream().map(LabelledRow::row).toList());
        List<Outcome> outcomes = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            LabelledRow row = rows.get(i);
            outcomes.add(
                    new Outcome(
                            asked.get(i).index(),
                            row.observations(scores.get(i), kind.hasGaps()),
                            length,
                            scorer.stateBytes(length),
                            row.sample(scores.get(i), examples.vocabulary())));
        }
        return outcomes;
    }
}
