package dev.recurrent.evaluation.task.needle;

import java.util.function.IntPredicate;

/** How many pieces a text may have so that it fits, and one more would not. */
final class LongestFit {

    private final int least;
    private final int most;
    private final IntPredicate fits;

    /**
     * Constructs a search.
     *
     * @param least known to fit
     * @param most an end to the search
     * @param fits whether so many pieces fit; mostly true up to some number and false from there
     */
    LongestFit(int least, int most, IntPredicate fits) {
        this.least = least;
        this.most = most;
        this.fits = fits;
    }

    /**
     * Searches in doubling steps, and then between the last two.
     *
     * @param guess where to start
     * @return a number that fits and whose successor does not, or {@code most}
     */
    int from(int guess) {
        int start = Math.max(least, Math.min(guess, most));
        int low = start;
        int high = start;
        int step = 1;
        if (start == least || fits.test(start)) {
            do {
                low = high;
                if (low == most) {
                    return most;
                }
                high = (int) Math.min((long) low + step, most);
                step *= 2;
            } while (fits.test(high));
        } else {
            do {
                high = low;
                low = Math.max(high - step, least);
                step *= 2;
            } while (low > least && !fits.test(low));
        }
        return between(low, high);
    }

    private int between(int fitting, int tooMany) {
        int low = fitting;
        int high = tooMany;
        while (high - low > 1) {
            int middle = low + (high - low) / 2;
            if (fits.test(middle)) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low;
    }
}
