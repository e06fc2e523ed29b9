package dev.recurrent.evaluation.score;

import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.GenerationResult;
import dev.recurrent.zoo.generation.Generator;
import dev.recurrent.zoo.generation.Session;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.function.DoubleConsumer;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/**
 * What tasks ask of a model: likelihoods of tokens in rows, of continuations of a context that is
 * read once, of a text of any length, and text of the model's own.
 *
 * <p>Rows run in batches; the batch changes speed and memory, and results by rounding only. It
 * belongs to whoever owns model, tokenizer and manager, and closes none of them.
 */
public final class Scorer {

    private final LanguageModel model;
    private final Tokenizer tokenizer;
    private final NDManager manager;
    private final int batch;
    private final DoubleConsumer part;

    /**
     * Constructs a scorer.
     *
     * @param model with its weights
     * @param tokenizer of the model; null where tasks bring tokens
     * @param manager on the model's device
     * @param batch how many rows run together
     * @param part is told now and then which part of the present question is done, in [0, 1]
     */
    public Scorer(
            LanguageModel model,
            Tokenizer tokenizer,
            NDManager manager,
            int batch,
            DoubleConsumer part) {
        if (batch < 1) {
            throw new IllegalArgumentException("batch must be >= 1, not " + batch);
        }
        this.model = model;
        this.tokenizer = tokenizer;
        this.manager = manager;
        this.batch = batch;
        this.part = part;
    }

    /** Constructs a scorer that reports to nobody. */
    public Scorer(LanguageModel model, Tokenizer tokenizer, NDManager manager, int batch) {
        this(model, tokenizer, manager, batch, done -> {});
    }

    /** Returns the model's tokenizer; null where tasks bring tokens. */
    public Tokenizer tokenizer() {
        return tokenizer;
    }

    /** Returns how many rows run together. */
    public int batch() {
        return batch;
    }

    /** Returns the state of one sequence after a number of tokens, in bytes. */
    public long stateBytes(long tokens) {
        return model.stateBytes(tokens);
    }

    /**
     * Tells whoever shows progress how far a long question has come.
     *
     * @param done which part of it, in [0, 1]
     */
    public void report(double done) {
        part.accept(done);
    }

    /**
     * Scores tokens in rows.
     *
     * @param rows any number, of any lengths
     * @return the targets' scores, one a row
     * @throws IllegalArgumentException if an id is not in the vocabulary
     * @throws ArithmeticException if a likelihood is not finite
     */
    public List<Scores> score(List<Row> rows) {
        List<Scores> results = rows.stream().map(row -> Scores.of(row.targets())).toList();
        // Rows of like lengths together, so that little is padding.
        int[] order = order(rows.size(), i -> rows.get(i).ids().length);
        for (int from = 0; from < order.length; from += batch) {
            int[] chosen = Arrays.copyOfRange(order, from, Math.min(from + batch, order.length));
            try (Session session = open(chosen.length)) {
                new RowPass(session, vocabulary()).score(pick(rows, chosen), pick(results, chosen));
            }
        }
        return results;
    }

    /**
     * Scores continuations; each context goes through the model once, however many follow it.
     *
     * @param prompts any number
     * @return the continuations' scores, one a continuation, one list a prompt
     * @throws IllegalArgumentException if an id is not in the vocabulary
     * @throws ArithmeticException if a likelihood is not finite
     */
    public List<List<Scores>> continuations(List<Prompt> prompts) {
        List<List<Scores>> results =
                prompts.stream()
                        .map(prompt -> prompt.continuations().stream().map(Scores::of).toList())
                        .toList();
        int[] order = order(prompts.size(), i -> prompts.get(i).context().length);
        for (int from = 0; from < order.length; from += batch) {
            int[] chosen = Arrays.copyOfRange(order, from, Math.min(from + batch, order.length));
            try (Session session = open(chosen.length)) {
                new PromptPass(session, vocabulary(), batch)
                        .score(pick(prompts, chosen), pick(results, chosen));
            }
        }
        return results;
    }

    /**
     * Begins a text of any length, whose state is carried from its first token to its last.
     *
     * @param sink takes what each token but the first costs
     * @return to be closed
     */
    public StreamingScorer stream(StreamingScorer.Sink sink) {
        return new StreamingScorer(model, manager, sink);
    }

    /**
     * Lets the model continue prompts by itself.
     *
     * @param prompts at least one token each
     * @param config how
     * @return the continuations in the order of the prompts
     */
    public List<GenerationResult> generate(List<long[]> prompts, GenerationConfig config) {
        return generate(prompts, Collections.nCopies(prompts.size(), config));
    }

    /**
     * Lets the model continue prompts by itself, each in its own way.
     *
     * @param prompts at least one token each
     * @param configs one for each prompt
     * @return the continuations in the order of the prompts
     */
    public List<GenerationResult> generate(List<long[]> prompts, List<GenerationConfig> configs) {
        Generator generator = new Generator(model, tokenizer, manager);
        List<GenerationResult> results = new ArrayList<>();
        for (int from = 0; from < prompts.size(); from += batch) {
            int to = Math.min(from + batch, prompts.size());
            results.addAll(
                    generator.generateIds(prompts.subList(from, to), configs.subList(from, to)));
        }
        return results;
    }

    private Session open(int rows) {
        return new Session(model, new ParameterStore(manager, false), manager, rows);
    }

    private long vocabulary() {
        return model.config().vocabulary();
    }

    private static int[] order(int size, IntUnaryOperator length) {
        return IntStream.range(0, size)
                .boxed()
                .sorted(Comparator.comparingInt(length::applyAsInt))
                .mapToInt(i -> i)
                .toArray();
    }

    private static <T> List<T> pick(List<T> all, int[] chosen) {
        return Arrays.stream(chosen).mapToObj(all::get).toList();
    }
}
