package dev.recurrent.training.data;

import dev.recurrent.training.metric.Labels;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Induction heads (arXiv 2312.00752, section 4.1.2; arXiv 2402.19427, section 6.2): a special token
 * stands somewhere in a random row and again at its end, where the token that followed it the first
 * time is asked for.
 *
 * <p>Of a vocabulary of 16, 15 is the special token.
 *
 * @param length T
 */
public record InductionHeads(int length) implements SyntheticTask {

    private static final long SPECIAL = 15;

    /** Checks the length. */
    public InductionHeads {
        if (length < 3) {
            throw new IllegalArgumentException("Induction needs length >= 3, not " + length);
        }
    }

    @Override
    public long vocabulary() {
        return SPECIAL + 1;
    }

    @Override
    public Example example(long seed, long index) {
        SplittableRandom random = Seeds.random(seed, index);
        long[] ids = random.longs(length, 0, SPECIAL).toArray();
        long[] labels = new long[length];
        Arrays.fill(labels, Labels.IGNORED);
        int place = random.nextInt(length - 2);
        ids[place] = SPECIAL;
        ids[length - 1] = SPECIAL;
        labels[length - 1] = ids[place + 1];
        return new Example(ids, labels);
    }
}
