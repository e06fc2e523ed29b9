package dev.recurrent.evaluation.task.text;

import dev.recurrent.evaluation.score.Row;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.score.Scores;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A text in windows that start from nothing. */
final class Windows {

    private final Scorer scorer;
    private final Stretches stretches;
    private final int length;
    private final int stride;

    /**
     * Constructs windows.
     *
     * @param length how many tokens the model reads in each
     * @param stride how far each stands behind the one before, and how many of its last tokens are
     *     scored; all of the first
     */
    Windows(Scorer scorer, Stretches stretches, int length, int stride) {
        this.scorer = scorer;
        this.stretches = stretches;
        this.length = length;
        this.stride = stride;
    }

    /** Scores all tokens but the first, and returns how many the model read. */
    long read(TokenSource tokens) throws IOException {
        long[] ids = tokens.all();
        List<Row> rows = new ArrayList<>();
        long read = 0;
        int scored = 0;
        for (int start = 0; scored < ids.length - 1; start += stride) {
            // The window's inputs end at the last token that has one after it.
            int end = Math.min(start + length, ids.length - 1);
            rows.add(Row.last(Arrays.copyOfRange(ids, start, end + 1), end - scored));
            scored = end;
            read += end - start;
            if (rows.size() == scorer.batch() || scored == ids.length - 1) {
                score(rows);
                rows.clear();
                scorer.report(stretches.done());
            }
        }
        return read;
    }

    private void score(List<Row> rows) {
        List<Scores> scores = scorer.score(rows);
        for (int row = 0; row < rows.size(); row++) {
            int[] places = rows.get(row).places();
            for (int i = 0; i < places.length; i++) {
                stretches.add(places[i] + 1L, -scores.get(row).logLikelihoods()[i]);
            }
        }
    }
}
