package dev.recurrent.zoo.generation;

import java.util.Arrays;
import java.util.List;

/** Reads all logits and chooses on the host. */
final class HostDecoder implements Decoder {

    private final Session session;
    private final int chunk;
    private List<Continuation> texts;

    HostDecoder(Session session, List<Continuation> texts, int chunk) {
        this.session = session;
        this.texts = texts;
        this.chunk = chunk;
    }

    @Override
    public long[] next(int most) {
        long[][] pending = texts.stream().map(Continuation::pending).toArray(long[][]::new);
        float[] values = session.feed(pending, chunk).toFloatArray(); // [B, vocabulary]
        int vocabulary = values.length / texts.size();
        long[] ids = new long[texts.size()];
        for (int row = 0; row < ids.length; row++) {
            int from = row * vocabulary;
            float[] own = Arrays.copyOfRange(values, from, from + vocabulary);
            ids[row] = texts.get(row).choose(own);
        }
        return ids;
    }

    @Override
    public void keep(int... kept) {
        session.keep(kept);
        texts = Arrays.stream(kept).mapToObj(texts::get).toList();
    }
}
