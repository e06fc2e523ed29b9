package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.score.Scores;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Observation;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.IntToDoubleFunction;

/** What likelihoods of answers say about a model. */
public final class Grading {

    private static final Metric ACCURACY = Metric.accuracy("acc");
    private static final Metric NORMALIZED = Metric.accuracy("acc_norm");

    /** exp of the mean, over questions, of −log p of the whole answer. */
    private static final Metric PERPLEXITY = Metric.perplexity("perplexity");

    /** The model chooses the answer of the greatest log-likelihood, summed over its tokens. */
    public static final Grading CHOICE =
            new Grading(
                    List.of(ACCURACY),
                    (question, scores) -> List.of(accuracy(question, choice(scores))));

    /**
     * As {@link #CHOICE}, and once more with each sum divided by the answer's length in characters,
     * so that long answers stand a chance.
     */
    public static final Grading NORMALIZED_CHOICE =
            new Grading(
                    List.of(ACCURACY, NORMALIZED),
                    (question, scores) ->
                            List.of(
                                    accuracy(question, choice(scores)),
                                    Observation.of(
                                            NORMALIZED.name(),
                                            normalizedChoice(question, scores)
                                                    == question.answer())));

    /** Whether the model would have written the answer by itself, and how likely it was. */
    public static final Grading COMPLETION =
            new Grading(
                    List.of(ACCURACY, PERPLEXITY),
                    (question, scores) -> {
                        Scores answer = scores.get(question.answer());
                        return List.of(
                                Observation.of(ACCURACY.name(), answer.isGreedy()),
                                Observation.of(PERPLEXITY.name(), -answer.sum()));
                    });

    private final List<Metric> metrics;
    private final BiFunction<Question, List<Scores>, List<Observation>> grader;

    private Grading(
            List<Metric> metrics, BiFunction<Question, List<Scores>, List<Observation>> grader) {
        this.metrics = metrics;
        this.grader = grader;
    }

    /** Returns what it measures. */
    List<Metric> metrics() {
        return metrics;
    }

    /**
     * Grades a model's answer.
     *
     * @param question what was asked
     * @param scores of its choices
     */
    List<Observation> grade(Question question, List<Scores> scores) {
        return grader.apply(question, scores);
    }

    private static Observation accuracy(Question question, int choice) {
        return Observation.of(ACCURACY.name(), choice == question.answer());
    }

    /** Returns the likeliest choice. */
    static int choice(List<Scores> scores) {
        return greatest(scores.size(), i -> scores.get(i).sum());
    }

    /** Returns the choice that is likeliest for its length; an empty one is never that. */
    private static int normalizedChoice(Question question, List<Scores> scores) {
        return greatest(
                scores.size(), i -> scores.get(i).sum() / question.choices().get(i).length());
    }

    /** Returns the first index of the greatest value. */
    private static int greatest(int size, IntToDoubleFunction value) {
        int best = 0;
        for (int i = 1; i < size; i++) {
            if (value.applyAsDouble(i) > value.applyAsDouble(best)) {
                best = i;
            }
        }
        return best;
    }
}
