package dev.recurrent.evaluation.task.needle;

import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.Documents;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Observation;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.generation.FinishReason;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.GenerationResult;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A needle in a haystack that is as long as the length allows: the prompt and 128 tokens of answer
 * fit, and with one more piece of haystack they would not.
 *
 * <p>The model continues the prompt greedily by up to 128 tokens. {@code acc} is 1 where these have
 * the value in them, whatever the case of its letters. Generation ends where the value appears, as
 * nothing after it can change that.
 *
 * <p>There are 80 documents, two at each of RULER's 40 depths; RULER draws 500 with random depths.
 * What is hidden depends on seed and document alone, so that models are asked the same.
 */
final class NeedleTask implements Task {

    static final int ANSWER = 128;
    static final Metric ACCURACY = Metric.accuracy("acc");
    private static final long DOCUMENTS = 2L * Depths.COUNT;

    private final String name;
    private final Needle.Type type;
    private final Haystack haystack;
    private final int length;
    private final Documents documents;
    private final long seed;

    NeedleTask(String name, Needle.Type type, Haystack haystack, TaskOptions options) {
        this.name = name;
        this.type = type;
        this.haystack = haystack;
        length = options.length() == 0 ? Lengths.INITIAL : options.length();
        documents = Documents.drawn(options.limited(DOCUMENTS));
        seed = options.seed();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public List<Metric> metrics() {
        return List.of(ACCURACY);
    }

    @Override
    public Documents documents() {
        return documents;
    }

    @Override
    public Questions fit(Traits traits) {
        Tokenizer tokenizer = traits.requireSymbols(name, type.symbols());
        Lengths.require(
                name,
                traits,
                length,
                documents,
                index -> encode(tokenizer, needle(index), 1).length + ANSWER);
        int guess = longest(tokenizer, needle(0), 1);
        return (scorer, asked) -> ask(guess, scorer, asked);
    }

    private Needle needle(long document) {
        return Needle.draw(type, seed, document);
    }

    private long[] encode(Tokenizer tokenizer, Needle needle, int pieces) {
        return tokenizer.encode(needle.prompt(haystack, pieces));
    }

    private int longest(Tokenizer tokenizer, Needle needle, int guess) {
        return new LongestFit(
                        1,
                        Integer.MAX_VALUE,
                        pieces -> encode(tokenizer, needle, pieces).length + ANSWER <= length)
                .from(guess);
    }

    private String prompt(Tokenizer tokenizer, Needle needle, int guess) {
        return needle.prompt(haystack, longest(tokenizer, needle, guess));
    }

    private List<Outcome> ask(int guess, Scorer scorer, List<Document> asked) {
        List<Needle> needles = asked.stream().map(document -> needle(document.index())).toList();
        List<String> prompts =
                needles.stream().map(needle -> prompt(scorer.tokenizer(), needle, guess)).toList();
        List<GenerationResult> results =
                scorer.generate(
                        prompts.stream().map(scorer.tokenizer()::encode).toList(),
                        needles.stream().map(NeedleTask::untilFound).toList());
        List<Outcome> outcomes = new ArrayList<>();
        for (int i = 0; i < needles.size(); i++) {
            String prompt = prompts.get(i);
            outcomes.add(outcome(asked.get(i), needles.get(i), prompt, results.get(i), scorer));
        }
        return outcomes;
    }

    private static GenerationConfig untilFound(Needle needle) {
        return GenerationConfig.builder()
                .optMaxNewTokens(ANSWER)
                .optStopStrings(List.of(needle.value()))
                .build();
    }

    private static Outcome outcome(
            Document document,
            Needle needle,
            String prompt,
            GenerationResult result,
            Scorer scorer) {
        boolean stopped = result.finishReason() == FinishReason.STOP_STRING;
        String answer = result.text() + (stopped ? needle.value() : "");
        boolean found = answer.toLowerCase(Locale.ROOT).contains(needle.value());
        Observation whole = Observation.of(ACCURACY.name(), found);
        // The last token that it gives goes through no more.
        long tokens = result.promptTokens() + result.ids().size() - 1L;
        Map<String, Object> sample = new LinkedHashMap<>();
        sample.put("key", needle.key());
        sample.put("value", needle.value());
        sample.put("depth", needle.depth());
        sample.put("prompt_tokens", result.promptTokens());
        sample.put("prompt", prompt);
        sample.put("answer", answer);
        sample.put("found", found);
        return new Outcome(
                document.index(),
                List.of(whole, whole.in(Bucket.at(Depths.AXIS, needle.depth()))),
                tokens,
                scorer.stateBytes(tokens),
                sample);
    }
}
