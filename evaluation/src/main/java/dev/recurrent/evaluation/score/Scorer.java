package dev.recurrent.evaluation.score;

import ai.djl.ndarray.NDArray;
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

    /** Tokens of all rows of a batch that go through the model at a time. */
    private static final int TOKENS = 8192;

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
                read(session, pick(rows, chosen), pick(results, chosen));
            }
        }
        return results;
    }

    private void read(Session session, List<Row> rows, List<Scores> results) {
        TargetScorer targets = new TargetScorer(session, model.config().vocabulary());
        int longest = rows.stream().mapToInt(row -> row.ids().length).max().orElseThrow();
        int chunk = Math.max(1, TOKENS / rows.size());
        for (int from = 0; from < longest; from += chunk) {
            int length = Math.min(chunk, longest - from);
            long[][] ids = new long[rows.size()][];
            for (int row = 0; row < ids.length; row++) {
                ids[row] = slice(rows.get(row).ids(), from, length);
                int[] places = rows.get(row).places();
                for (int i = 0; i < places.length; i++) {
                    if (places[i] >= from && places[i] < from + length) {
                        targets.want(row * length + places[i] - from, results.get(row), i);
                    }
                }
            }
            targets.score(flat(session.hidden(ids)));
        }
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
                follow(session, pick(prompts, chosen), pick(results, chosen));
            }
        }
        return results;
    }

    private void follow(Session session, List<Prompt> prompts, List<List<Scores>> results) {
        long[][] contexts = prompts.stream().map(Prompt::context).toArray(long[][]::new);
        NDArray last =
                session.lastHidden(contexts, Math.max(1, TOKENS / contexts.length)); // [B, D]
        TargetScorer firsts = new TargetScorer(session, model.config().vocabulary());
        List<Integer> owners = new ArrayList<>();
        List<Scores> scores = new ArrayList<>();
        for (int i = 0; i < contexts.length; i++) {
            for (Scores continuation : results.get(i)) {
                firsts.want(i, continuation, 0);
                if (continuation.targets().length > 1) {
                    owners.add(i);
                    scores.add(continuation);
                }
            }
        }
        firsts.score(last);
        for (int from = 0; from < scores.size(); from += batch) {
            int to = Math.min(from + batch, scores.size());
            int[] rows = owners.subList(from, to).stream().mapToInt(i -> i).toArray();
            try (Session branches = session.fork(rows)) {
                branch(branches, scores.subList(from, to));
            }
        }
    }

    /** Scores all tokens of continuations but the first, by what follows their others. */
    private void branch(Session session, List<Scores> scores) {
        TargetScorer targets = new TargetScorer(session, model.config().vocabulary());
        long[][] ids = new long[scores.size()][];
        int longest = scores.stream().mapToInt(s -> s.targets().length - 1).max().orElseThrow();
        for (int row = 0; row < ids.length; row++) {
            long[] tokens = scores.get(row).targets();
            ids[row] = Arrays.copyOf(tokens, tokens.length - 1);
            for (int i = 0; i < ids[row].length; i++) {
                targets.want(row * longest + i, scores.get(row), i + 1);
            }
        }
        targets.score(flat(session.hidden(ids)));
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

    private static NDArray flat(NDArray hidden) {
        return hidden.reshape(-1, hidden.getShape().get(2)); // [B·T, D]
    }

    private static long[] slice(long[] ids, int from, int length) {
        int to = Math.min(from + length, ids.length);
        return from < to ? Arrays.copyOfRange(ids, from, to) : new long[0];
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
