package dev.recurrent.evaluation.task;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.score.Likelihood;
import dev.recurrent.evaluation.score.StreamingScorer;
import java.io.IOException;
import java.util.List;

/**
 * Perplexity of a text in one pass that carries the state from its first token to its last.
 *
 * <p>The first token is context only: the one that the tokenizer puts before every text where it
 * does, else the first of the text. With Σ over all other tokens, in nats:
 *
 * <ul>
 *   <li>token perplexity: exp(Σ / scored tokens)
 *   <li>word perplexity: exp(Σ / words), words being what whitespace separates in the text
 *   <li>byte perplexity: exp(Σ / bytes), bits per byte: Σ / bytes / ln 2
 * </ul>
 *
 * Words and bytes are those of the whole text, so that models with different tokenizers compare.
 * Standard errors take tokens as independent draws, and go through the exponential to first order.
 */
final class Perplexity implements Task {

    static final String NAME = "perplexity";

    private final TextFile text;

    private Perplexity(TextFile text) {
        this.text = text;
    }

    /** Makes the task; a limit counts lines. */
    static Perplexity of(TaskOptions options) throws IOException {
        if (options.text() == null) {
            throw new InvalidInputException("Task " + NAME + " needs --text FILE");
        }
        return new Perplexity(TextFile.of(options.text(), options.limit()));
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Measured measure(Subject subject, Progress progress) throws IOException {
        try (StreamingScorer scorer = new StreamingScorer(subject.model(), subject.manager())) {
            new TokenSource(subject.tokenizer(), text)
                    .forEach(
                            (id, done) -> {
                                if (scorer.add(id)) {
                                    progress.update(done, scorer.scored());
                                }
                            });
            Likelihood likelihood = scorer.finish();
            if (likelihood.tokens() == 0) {
                throw new InvalidInputException(
                        text.path() + " has one token; perplexity needs two or more");
            }
            progress.update(1, likelihood.tokens());
            return new Measured(metrics(likelihood), 1, likelihood.tokens(), scorer.stateBytes());
        }
    }

    private List<Metric> metrics(Likelihood likelihood) {
        double bits = text.bytes() * Math.log(2);
        return List.of(
                perplexity("token_perplexity", likelihood, likelihood.tokens()),
                perplexity("word_perplexity", likelihood, text.words()),
                perplexity("byte_perplexity", likelihood, text.bytes()),
                Metric.lower(
                        "bits_per_byte",
                        likelihood.sum() / bits,
                        likelihood.standardError() / bits));
    }

    private static Metric perplexity(String name, Likelihood likelihood, long units) {
        double value = Math.exp(likelihood.sum() / units);
        return Metric.lower(name, value, value * likelihood.standardError() / units);
    }
}
