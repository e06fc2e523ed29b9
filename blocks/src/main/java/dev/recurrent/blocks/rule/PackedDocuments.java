package dev.recurrent.blocks.rule;

import java.util.Arrays;

/**
 * The documents of a batch as stretches of its tokens, one behind the other ("variable lengths" in
 * FlashAttention): the queries of stretch i are [queries[i], queries[i + 1]) of B·T tokens, and the
 * keys that they see causally, the last query the last key, are [keys[i], keys[i + 1]) of B·(L +
 * T), where each row's L slots of the past, those that hold nothing first, stand before its tokens.
 *
 * <p>Slots that hold nothing are a stretch without queries. How many there are is known on the
 * device, so that row r's number is to be added to keys[i] where rows[i] = r. Padding at the end of
 * a row belongs to the document before it, whose tokens do not see it.
 *
 * @param queries one more than there are stretches
 * @param keys likewise, with no empty slot counted in the rows that continue
 * @param rows which row's empty slots are to be added to keys; B for none
 * @param mostQueries an upper bound of a stretch's queries
 * @param mostKeys an upper bound of a stretch's keys
 */
public record PackedDocuments(
        int[] queries, int[] keys, long[] rows, int mostQueries, int mostKeys) {

    /**
     * Packs documents.
     *
     * @param positions [B, T], padding at the ends of rows only
     * @param past L, slots of what was seen before; 0 for none
     * @return the stretches
     */
    public static PackedDocuments of(Positions positions, long past) {
        int slots = Math.toIntExact(past);
        int batch = Math.toIntExact(positions.batch());
        int length = Math.toIntExact(positions.length());
        int[] starts = positions.documentStarts();
        int count = starts.length + (slots > 0 ? batch : 0);
        int[] queries = new int[count + 1];
        int[] keys = new int[count + 1];
        long[] rows = new long[count + 1];
        Arrays.fill(rows, batch);
        int most = 0;
        int i = 0;
        for (int s = 0; s < starts.length; s++) {
            int row = starts[s] / length;
            int end = s + 1 < starts.length ? starts[s + 1] : batch * length;
            most = Math.max(most, end - starts[s]);
            boolean continues = starts[s] % length == 0 && positions.first(row) > 0;
            if (slots > 0 && starts[s] % length == 0) {
                queries[i] = starts[s];
                keys[i] = starts[s] + row * slots;
                i++;
            }
            queries[i] = starts[s];
            keys[i] = starts[s] + (continues ? row : row + 1) * slots;
            rows[i] = continues ? row : batch;
            i++;
        }
        queries[i] = batch * length;
        keys[i] = batch * (length + slots);
        return new PackedDocuments(queries, keys, rows, most, most + slots);
    }
}
