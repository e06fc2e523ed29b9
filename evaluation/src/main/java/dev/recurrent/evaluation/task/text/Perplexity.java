package dev.recurrent.evaluation.task.text;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.statistic.Aggregation;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.Documents;
import dev.recurrent.evaluation.task.LineTask;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Metric.Direction;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.evaluation.task.source.BundledText;
import dev.recurrent.evaluation.task.source.JsonLines;
import dev.recurrent.evaluation.task.source.MeasuredText;
import dev.recurrent.evaluation.task.source.TextDocuments;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Perplexity of texts. Without a length a text goes through in one pass that carries the state from
 * its first token to its last; with one it is cut into windows, each read from nothing: windows
 * that follow each other, or, with a stride, overlap, of which only the last tokens are scored.
 *
 * <p>The first token of a text is context only: the one that the tokenizer puts before every text
 * where it does, else the first of the text; every other token is scored exactly once. With Σ over
 * these, in nats:
 *
 * <ul>
 *   <li>token perplexity: exp(Σ / scored tokens)
 *   <li>word perplexity: exp(Σ / words), words being what whitespace separates in the text
 *   <li>byte perplexity: exp(Σ / bytes), bits per byte: Σ / bytes / ln 2
 * </ul>
 *
 * Words and bytes are those of the whole text, so that models with different tokenizers compare.
 * Standard errors resample stretches of tokens: windows, or the blocks of {@link Stretches}.
 */
public final class Perplexity implements LineTask {

    /** The task among the others. */
    public static final TaskType TYPE =
            new TaskType(
                    "perplexity",
                    "perplexity of a text by token, word and byte, streaming or in windows",
                    true,
                    Perplexity::of,
                    Perplexity::ofLines);

    static final Metric TOKEN = Metric.perplexity("token_perplexity");
    static final Metric WORD = Metric.perplexity("word_perplexity");
    static final Metric BYTE = Metric.perplexity("byte_perplexity");
    static final Metric BITS = new Metric("bits_per_byte", Direction.LOWER, Aggregation.BITS);

    private final Documents documents;
    private final int length;
    private final int stride;

    private Perplexity(Documents documents, int length, int stride) {
        this.documents = documents;
        this.length = length;
        this.stride = stride == 0 ? length : stride;
    }

    /**
     * Makes the task, of the play in the jar where no text is given; a limit counts lines of a text
     * file, or documents.
     */
    private static Perplexity of(TaskOptions options) throws IOException {
        return new Perplexity(
                options.text() == null
                        ? TextDocuments.of(BundledText.play())
                        : TextDocuments.of(options.text(), options.limit()),
                options.length(),
                options.stride());
    }

    private static Perplexity ofLines(TaskOptions options) {
        return new Perplexity(Documents.drawn(0), options.length(), options.stride());
    }

    @Override
    public String name() {
        return TYPE.name();
    }

    @Override
    public List<Metric> metrics() {
        return List.of(BITS, BYTE, WORD, TOKEN);
    }

    @Override
    public Documents documents() {
        return documents;
    }

    @Override
    public Document document(long index, String where, String line) {
        return new Document(index, TextDocuments.text(JsonLines.parse(where, line)));
    }

    @Override
    public Questions fit(Traits traits) {
        traits.requireTokenizer(name());
        return this::ask;
    }

    private List<Outcome> ask(Scorer scorer, List<Document> asked) throws IOException {
        List<Outcome> outcomes = new ArrayList<>();
        for (Document document : asked) {
            MeasuredText text = (MeasuredText) document.text();
            TokenSource tokens = new TokenSource(scorer.tokenizer(), text, text.bytes());
            if (tokens.size() < 2) {
                throw new InvalidInputException(
                        text.where() + " has one token; perplexity needs two or more");
            }
            Stretches stretches = new Stretches(text, tokens.size() - 1);
            long read =
                    length == 0
                            ? new Stream(scorer, stretches).read(tokens)
                            : new Windows(scorer, stretches, length, stride).read(tokens);
            long state = scorer.stateBytes(length == 0 ? read : Math.min(length, read));
            outcomes.add(stretches.outcome(document.index(), read, state));
        }
        return outcomes;
    }
}
