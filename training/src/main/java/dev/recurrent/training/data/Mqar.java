package dev.recurrent.training.data;

import dev.recurrent.training.metric.Labels;
import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Multi-query associative recall (arXiv 2312.04927; {@code multiquery_ar} of zoology): n pairs of a
 * key and a value, then every key again at a random place, where its value is asked for.
 *
 * <p>Keys are 1 to V/2 − 1 and values V/2 to V − 1, without replacement. After the 2n tokens of the
 * pairs there are (T − 2n)/2 places of two tokens; each key stands at the first token of one of
 * them, place i (from 1) with a probability proportional to a·i^(a−1), a = .01, without
 * replacement; so most are asked soon. All other tokens are drawn from the whole vocabulary, as
 * zoology does at first.
 *
 * @param length T, even
 * @param pairs n, at most T/4
 * @param vocabulary V
 */
public record Mqar(int length, int pairs, long vocabulary) implements SyntheticTask {

    /** Zoology's. */
    public static final long VOCABULARY = 8192;

    private static final double POWER = 0.01;

    /** Checks the sizes. */
    public Mqar {
        if (pairs < 1 || length % 2 != 0 || 4L * pairs > length || vocabulary / 2 <= pairs) {
            throw new IllegalArgumentException(
                    "MQAR needs an even length >= 4 pairs and more keys than pairs, not length "
                            + length
                            + ", "
                            + pairs
                            + " pairs and vocabulary "
                            + vocabulary);
        }
    }

    /** With zoology's vocabulary of 8192. */
    public Mqar(int length, int pairs) {
        this(length, pairs, VOCABULARY);
    }

    @Override
    public Example example(long seed, long index) {
        SplittableRandom random = Seeds.random(seed, index);
        long[] keys = distinct(random, 1, vocabulary / 2);
        long[] values = distinct(random, vocabulary / 2, vocabulary);
        int[] places = places(random);
        long[] ids = random.longs(length, 0, vocabulary).toArray();
        long[] labels = new long[length];
        Arrays.fill(labels, Labels.IGNORED);
        for (int i = 0; i < pairs; i++) {
            ids[2 * i] = keys[i];
            ids[2 * i + 1] = values[i];
            int query = 2 * pairs + 2 * places[i];
            ids[query] = keys[i];
            labels[query] = values[i];
        }
        return new Example(ids, labels);
    }

    private long[] distinct(SplittableRandom random, long low, long high) {
        return random.longs(low, high).distinct().limit(pairs).toArray();
    }

    /** Weighted, without replacement, by exponential clocks: those that ring first are drawn. */
    private int[] places(SplittableRandom random) {
        int space = (length - 2 * pairs) / 2;
        double[] rings = new double[space];
        for (int i = 0; i < space; i++) {
            rings[i] = -Math.log(1 - random.nextDouble()) / Math.pow(i + 1, POWER - 1);
        }
        return IntStream.range(0, space)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> rings[i]))
                .limit(pairs)
                .mapToInt(i -> i)
                .toArray();
    }
}
