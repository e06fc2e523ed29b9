package dev.recurrent.evaluation.task.needle;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.score.Scores;
import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.Documents;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Observation;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The look-up of a number in a phone book (arXiv 2402.01032, section 4; arXiv 2402.19427, section
 * 6.2): names and numbers, two of them again as examples, and a name whose number is to come. The
 * set-up is the papers'; names, numbers and wording are this project's own.
 *
 * <p>A book has as many entries as fit with its question and answer into the length; so a length in
 * tokens decides how much is to be remembered. There are 200 books, in which the wanted entry
 * stands at 40 depths in turn.
 *
 * <p>{@code exact_match} is 1 where every token of the number is the model's most probable one
 * after the prompt and the number's tokens before it. Greedy generation chooses just these tokens,
 * one after another; it gives the number, as the tokenizer writes it, exactly then, and is not
 * needed.
 */
public final class Phonebook implements Task {

    /** The task among the others. */
    public static final TaskType TYPE =
            new TaskType(
                    "phonebook",
                    "a number in a phone book after two examples, asked for by name, by depth",
                    true,
                    Phonebook::new);

    static final Metric EXACT = Metric.accuracy("exact_match");
    private static final long DOCUMENTS = 5L * Depths.COUNT;

    private final int length;
    private final Documents documents;
    private final long seed;

    private Phonebook(TaskOptions options) {
        length = options.length() == 0 ? Lengths.INITIAL : options.length();
        documents = Documents.drawn(options.limited(DOCUMENTS));
        seed = options.seed();
    }

    @Override
    public String name() {
        return TYPE.name();
    }

    @Override
    public List<Metric> metrics() {
        return List.of(EXACT);
    }

    @Override
    public Documents documents() {
        return documents;
    }

    @Override
    public Questions fit(Traits traits) {
        Tokenizer tokenizer = traits.requireSymbols(name(), Book.SYMBOLS);
        Lengths.require(
                name(),
                traits,
                length,
                documents,
                index -> encode(tokenizer, new Book(seed, index), Book.ASKED).tokens());
        int guess = longest(tokenizer, new Book(seed, 0), Book.ASKED);
        if (guess == Book.MOST) {
            throw new InvalidInputException(
                    "Task "
                            + name()
                            + " has names for "
                            + Book.MOST
                            + " entries, which are fewer tokens than the length "
                            + length);
        }
        return (scorer, asked) -> ask(guess, scorer, asked);
    }

    private static Answered encode(Tokenizer tokenizer, Book book, int entries) {
        return Answered.of(tokenizer, book.prompt(entries), book.answer(entries));
    }

    private int longest(Tokenizer tokenizer, Book book, int guess) {
        return new LongestFit(
                        Book.ASKED,
                        Book.MOST,
                        entries -> encode(tokenizer, book, entries).tokens() <= length)
                .from(guess);
    }

    private List<Outcome> ask(int guess, Scorer scorer, List<Document> asked) {
        List<Page> pages =
                asked.stream().map(document -> page(document, guess, scorer.tokenizer())).toList();
        List<List<Scores>> scores =
                scorer.continuations(pages.stream().map(page -> page.text.question()).toList());
        List<Outcome> outcomes = new ArrayList<>();
        for (int i = 0; i < pages.size(); i++) {
            outcomes.add(pages.get(i).outcome(scores.get(i).get(0), scorer));
        }
        return outcomes;
    }

    private Page page(Document document, int guess, Tokenizer tokenizer) {
        Book book = new Book(seed, document.index());
        int entries = longest(tokenizer, book, guess);
        return new Page(document.index(), book, entries, encode(tokenizer, book, entries));
    }

    /** A book of some entries, as it is put to a model. */
    private record Page(long document, Book book, int entries, Answered text) {

        Outcome outcome(Scores scores, Scorer scorer) {
            Observation whole = Observation.of(EXACT.name(), scores.isGreedy());
            int asked = book.asked(entries);
            Map<String, Object> sample = new LinkedHashMap<>();
            sample.put("name", book.name(asked));
            sample.put("number", book.number(asked));
            sample.put("entries", entries);
            sample.put("entry", asked);
            sample.put("depth", book.depth());
            sample.put("tokens", text.tokens());
            sample.put("prompt", book.prompt(entries));
            sample.put("predicted", scorer.tokenizer().decode(scores.predictions()));
            return new Outcome(
                    document,
                    List.of(whole, whole.in(tenth(book.depth()))),
                    text.read(),
                    scorer.stateBytes(text.read()),
                    sample);
        }

        /** Ten percent, the last with 100. */
        private static Bucket tenth(int depth) {
            int from = Math.min(depth / 10 * 10, 90);
            return new Bucket(Depths.AXIS, from, from == 90 ? 101 : from + 10);
        }
    }
}
