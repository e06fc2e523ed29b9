package dev.recurrent.training.data;

import dev.recurrent.training.metric.Labels;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Selective copying (arXiv 2312.00752, section 4.1.1; arXiv 2402.19427, section 6.2): data tokens
 * stand at random places among noise, and are to be said in their order at the end.
 *
 * <p>Of a vocabulary of 16, 0 is noise, 1 to 14 are data and 15 asks for a data token. The last 16
 * tokens of a row ask; the 16 data tokens stand at distinct places before them.
 *
 * @param length T
 */
public record SelectiveCopying(int length) implements SyntheticTask {

    private static final int DATA = 16;
    private static final long NOISE = 0;
    private static final long QUESTION = 15;

    /** Checks the length. */
    public SelectiveCopying {
        if (length < 2 * DATA) {
            throw new IllegalArgumentException(
                    "Selective copying of 16 tokens needs length >= 32, not " + length);
        }
    }

    @Override
    public long vocabulary() {
        return QUESTION + 1;
    }

    @Override
    public Example example(long seed, long index) {
        SplittableRandom random = Seeds.random(seed, index);
        long[] ids = new long[length];
        long[] labels = new long[length];
        Arrays.fill(ids, NOISE);
        Arrays.fill(labels, Labels.IGNORED);
        int questions = length - DATA;
        int[] places = random.ints(0, questions).distinct().limit(DATA).sorted().toArray();
        for (int i = 0; i < DATA; i++) {
            long token = random.nextLong(NOISE + 1, QUESTION);
            ids[places[i]] = token;
            ids[questions + i] = QUESTION;
            labels[questions + i] = token;
        }
        return new Example(ids, labels);
    }
}
