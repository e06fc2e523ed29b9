package dev.recurrent.evaluation.score;

import dev.recurrent.zoo.generation.Session;
import java.util.Arrays;
import java.util.List;

/** Rows of a batch on their way through the model, some tokens of all of them at a time. */
final class RowPass {

    /** Tokens of all rows of a batch that go through the model at a time. */
    static final int TOKENS = 8192;

    private final Session session;
    private final long vocabulary;

    /**
     * Constructs a pass.
     *
     * @param session with a row for each of those that will be scored
     * @param vocabulary of its model
     */
    RowPass(Session session, long vocabulary) {
        this.session = session;
        this.vocabulary = vocabulary;
    }

    /**
     * Scores rows.
     *
     * @param rows as many as the session has
     * @param results where their scores belong
     */
    void score(List<Row> rows, List<Scores> results) {
        TargetScorer targets = new TargetScorer(session, vocabulary);
        int longest = rows.stream().mapToInt(row -> row.ids().length).max().orElseThrow();
        int chunk = Math.max(1, TOKENS / rows.size());
        for (int from = 0; from < longest; from += chunk) {
            int length = Math.min(chunk, longest - from);
            long[][] ids = new long[rows.size()][];
            for (int row = 0; row < ids.length; row++) {
                ids[row] = slice(rows.get(row).ids(), from, length);
                int[] places = rows.get(row).places();
                for (int i = 0; i < places.length; i++) {
                    if (places[i] >= from && places[i] < from + length) {
                        targets.want(row * length + places[i] - from, results.get(row), i);
                    }
                }
            }
            targets.score(TargetScorer.flat(session.hidden(ids)));
        }
    }

    private static long[] slice(long[] ids, int from, int length) {
        int to = Math.min(from + length, ids.length);
        return from < to ? Arrays.copyOfRange(ids, from, to) : new long[0];
    }
}
