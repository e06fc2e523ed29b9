package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.score.Prompt;
import dev.recurrent.evaluation.score.Row;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.score.Scores;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Questions with four choices: each context read once for all of them, beside each choice scored
 * with a context of its own, in batches of the same size.
 */
public final class ContinuationBench {

    private static final int QUESTIONS = 4;
    private static final int CHOICES = 4;
    private static final int CONTEXT = 512;
    private static final int CHOICE = 16;

    private final String name;
    private final LanguageModel model;

    /**
     * Constructs a benchmark.
     *
     * @param name of the model
     * @param model with its weights
     */
    public ContinuationBench(String name, LanguageModel model) {
        this.name = name;
        this.model = model;
    }

    /**
     * Times both ways on four questions.
     *
     * @param bench takes the results
     * @param shape rows that run together, else 4; tokens of a context, else 512
     */
    public void run(Bench bench, BenchShape shape) {
        int batch = shape.batchOr(CHOICES);
        int context = shape.lengthOr(CONTEXT);
        List<Prompt> prompts =
                IntStream.range(0, QUESTIONS).mapToObj(i -> prompt(context)).toList();
        List<Row> rows = prompts.stream().flatMap(prompt -> rows(prompt).stream()).toList();
        long alone = rows.stream().mapToLong(row -> row.ids().length).sum();
        long shared = alone - (long) QUESTIONS * (CHOICES - 1) * context;
        String work =
                name + " B " + batch + ", " + QUESTIONS + " contexts of " + context + ", 4 choices";
        Measurement apart =
                bench.time(
                        work,
                        "each choice alone",
                        alone,
                        scope -> sum(scope, scorer(scope, batch).score(rows)));
        Measurement together =
                bench.time(
                        work,
                        "context read once",
                        shared,
                        scope ->
                                sum(
                                        scope,
                                        scorer(scope, batch).continuations(prompts).stream()
                                                .flatMap(Collection::stream)
                                                .toList()));
        bench.compare(work + ": alone / read once", apart, together);
    }

    private Prompt prompt(int context) {
        long[] ids = Randoms.ids(context + CHOICES * CHOICE, model.config().vocabulary());
        List<long[]> choices =
                IntStream.range(0, CHOICES)
                        .mapToObj(i -> context + i * CHOICE)
                        .map(from -> Arrays.copyOfRange(ids, from, from + CHOICE))
                        .toList();
        return new Prompt(Arrays.copyOf(ids, context), choices);
    }

    private static List<Row> rows(Prompt prompt) {
        return prompt.continuations().stream()
                .map(
                        choice ->
                                Row.last(
                                        LongStream.concat(
                                                        Arrays.stream(prompt.context()),
                                                        Arrays.stream(choice))
                                                .toArray(),
                                        choice.length))
                .toList();
    }

    private Scorer scorer(NDManager scope, int batch) {
        return new Scorer(model, null, scope, batch);
    }

    private static NDArray sum(NDManager scope, List<Scores> scores) {
        return scope.create(scores.stream().mapToDouble(Scores::sum).sum());
    }
}
