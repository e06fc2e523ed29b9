package dev.recurrent.zoo.generation;

import dev.recurrent.zoo.text.TextDecoder;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** One text being generated: its tokens, its characters, and when it ends. */
final class Continuation {

    private final long[] prompt;
    private final GenerationConfig config;
    private final Sampler sampler;
    private final TextDecoder decoder;
    private final StopStrings stops;
    private final Set<Long> ends;
    private final List<Long> ids = new ArrayList<>();
    private final StringBuilder text = new StringBuilder();
    private FinishReason finish;

    Continuation(long[] prompt, GenerationConfig config, Tokenizer tokenizer) {
        this.prompt = prompt;
        this.config = config;
        sampler = new Sampler(config);
        decoder = tokenizer.newDecoder();
        stops = new StopStrings(config.stopStrings());
        ends = new HashSet<>(config.stopIds());
        if (!config.ignoreEndOfText()) {
            ends.addAll(tokenizer.endOfText());
        }
    }

    /** Tokens that the model has not been fed with. */
    long[] pending() {
        return ids.isEmpty() ? prompt : new long[] {ids.get(ids.size() - 1)};
    }

    /** Returns how it is generated. */
    GenerationConfig config() {
        return config;
    }

    /** Returns how many more tokens it may get. */
    int most() {
        return config.maxNewTokens() - ids.size();
    }

    /** Chooses the next token on the host. */
    long choose(float[] logits) {
        if (ids.isEmpty()) {
            sampler.see(prompt);
        }
        long id = sampler.next(logits);
        sampler.see(id);
        return id;
    }

    /** Takes the next token; returns the text that has become certain. */
    String extend(long id) {
        ids.add(id);
        String piece = ends.contains(id) ? "" : stops.add(decoder.add(id));
        if (ends.contains(id)) {
            finish = FinishReason.END_OF_TEXT;
        } else if (ids.size() == config.maxNewTokens()) {
            finish = FinishReason.LENGTH;
        }
        if (finish != null) {
            piece += stops.add(decoder.flush());
        }
        if (stops.found()) {
            finish = FinishReason.STOP_STRING;
        } else if (finish != null) {
            piece += stops.flush();
        }
        text.append(piece);
        return piece;
    }

    boolean isFinished() {
        return finish != null;
    }

    GenerationResult result() {
        return new GenerationResult(prompt.length, ids, text.toString(), finish);
    }
}
