package dev.recurrent.evaluation.score;

/**
 * Tokens of one document from its beginning, and what is asked about them.
 *
 * @param ids tokens that the model reads, [T]
 * @param places after which of them it is asked, indices into ids, ascending
 * @param targets the token whose likelihood is wanted at each place
 */
public record Row(long[] ids, int[] places, long[] targets) {

    /** Checks sizes. */
    public Row {
        if (ids.length == 0 || places.length != targets.length) {
            throw new IllegalArgumentException(
                    ids.length
                            + " tokens, "
                            + places.length
                            + " places and "
                            + targets.length
                            + " targets make no row");
        }
    }

    /**
     * The last tokens of a text, each asked for after all before it.
     *
     * @param ids the text, at least one token more than are scored
     * @param scored how many of its last tokens
     */
    public static Row last(long[] ids, int scored) {
        int inputs = ids.length - 1;
        long[] read = new long[inputs];
        System.arraycopy(ids, 0, read, 0, inputs);
        int[] places = new int[scored];
        long[] targets = new long[scored];
        for (int i = 0; i < scored; i++) {
            places[i] = inputs - scored + i;
            targets[i] = ids[places[i] + 1];
        }
        return new Row(read, places, targets);
    }
}
