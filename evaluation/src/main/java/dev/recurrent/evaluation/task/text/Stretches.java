package dev.recurrent.evaluation.task.text;

import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Observation;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.source.MeasuredText;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The costs of a text's tokens, summed over stretches of it: the observations that perplexities and
 * their errors are made of.
 *
 * <p>A stretch ends where a window does, and where a block does: at 64 and 128 tokens and every
 * multiple of 256, by the tokens that stood before. Neighbours within a block depend on each other;
 * so blocks are resampled, not tokens (the bootstrap by blocks of Künsch, 1989). A text's bytes and
 * words are shared out among its scored tokens evenly.
 */
final class Stretches {

    private static final String POSITION = "position";
    private static final int BLOCK = 256;
    private static final int LEAST = 64;

    private final MeasuredText text;
    private final long scored;
    private final List<Observation> observations = new ArrayList<>();
    private long done;
    private long start;
    private long position;
    private double nll;
    private double total;

    /**
     * Constructs the stretches of a text.
     *
     * @param text which one
     * @param scored how many tokens will be added
     */
    Stretches(MeasuredText text, long scored) {
        this.text = text;
        this.scored = scored;
    }

    /**
     * Adds the next token.
     *
     * @param place how many tokens the model had seen before it
     * @param cost −log p, in nats
     */
    void add(long place, double cost) {
        if (done > start && (place <= position || isEdge(place))) {
            finish();
        }
        position = place;
        nll += cost;
        done++;
    }

    private static boolean isEdge(long place) {
        return place % BLOCK == 0 || place == LEAST || place == 2 * LEAST;
    }

    private void finish() {
        Observation tokens = new Observation(Perplexity.TOKEN.name(), null, nll, done - start);
        observations.add(tokens);
        observations.add(tokens.in(bucket(position)));
        observations.add(share(Perplexity.WORD.name(), text.words()));
        observations.add(share(Perplexity.BYTE.name(), text.bytes()));
        observations.add(share(Perplexity.BITS.name(), text.bytes()));
        total += nll;
        nll = 0;
        start = done;
    }

    private Observation share(String metric, long units) {
        return new Observation(metric, null, nll, portion(units, done) - portion(units, start));
    }

    /** How many of a text's units belong to its first tokens. */
    private long portion(long units, long tokens) {
        return Math.round((double) units * tokens / scored);
    }

    /** Powers of two from 64 on, and what is before. */
    private static Bucket bucket(long place) {
        if (place < LEAST) {
            return new Bucket(POSITION, 0, LEAST);
        }
        long from = Long.highestOneBit(place);
        return new Bucket(POSITION, from, 2 * from);
    }

    /**
     * Returns what was found out about the text.
     *
     * @param index of its document
     * @param read how many tokens went through the model
     * @param stateBytes of a sequence
     */
    Outcome outcome(long index, long read, long stateBytes) {
        if (done > start) {
            finish();
        }
        Map<String, Object> sample = new LinkedHashMap<>();
        sample.put("text", text.where());
        sample.put("tokens", scored);
        sample.put("words", text.words());
        sample.put("bytes", text.bytes());
        sample.put("nll", total);
        return new Outcome(index, observations, read, stateBytes, sample);
    }

    /** Returns which part of the tokens has been added. */
    double done() {
        return (double) done / scored;
    }
}
