package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * Which tokens of a chunk belong together, as zeros and ones; M = chunks · B · H.
 *
 * @param pairs whether token j reaches token i: not later, and of the same document; [C, C], or [M,
 *     1, C, C] if documents start inside rows
 * @param logPairs 0 and −∞ for the ones and zeros of {@code pairs}
 * @param sees whether a token belongs to the document that enters the chunk, [M, 1, C, 1]; null if
 *     all do
 * @param reaches whether a token belongs to the document that leaves the chunk, [M, 1, C, 1]; null
 *     if all do
 * @param logReaches 0 and −∞ for the ones and zeros of {@code reaches}
 * @param continues 0 for tokens that start a document, [M, 1, C, 1]; null if none does
 */
record ChunkMasks(
        NDArray pairs,
        NDArray logPairs,
        NDArray sees,
        NDArray reaches,
        NDArray logReaches,
        NDArray continues) {

    /** What a mask is kept under in the positions. */
    private record Key(String mask, long chunks, long chunk, long heads) {}

    /**
     * Returns the masks of positions.
     *
     * @param positions [B, T]
     * @param chunks how many
     * @param chunk C
     * @param heads H
     * @return the masks, which live as long as the positions
     */
    static ChunkMasks of(Positions positions, long chunks, long chunk, long heads) {
        if (!positions.hasResets()) {
            NDArray causal =
                    positions.derive(
                            new Key("causal", 1, chunk, 1),
                            () -> causal(positions.manager(), chunk));
            NDArray logs = positions.derive(new Key("log causal", 1, chunk, 1), causal::log);
            return new ChunkMasks(causal, logs, null, null, null, null);
        }
        Layout layout = new Layout(positions, chunks, chunk, heads);
        NDArray pairs = layout.derive("pairs", layout::pairs);
        NDArray reaches = layout.derive("reaches", layout::reaches);
        return new ChunkMasks(
                pairs,
                layout.derive("log pairs", pairs::log),
                layout.derive("sees", layout::sees),
                reaches,
                layout.derive("log reaches", reaches::log),
                layout.derive("continues", layout::continues));
    }

    /** Sums gates from the chunk's start or the document's, whichever is later, [M, G, C, 1]. */
    NDArray sums(NDArray gates) {
        if (continues == null) {
            return gates.cumSum(2);
        }
        // As a product with the pairs, so that sums hold nothing of other documents.
        NDArray row = gates.mul(continues).transpose(0, 1, 3, 2); // [M, G, 1, C]
        return row.matMul(pairs.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2);
    }

    private static NDArray causal(NDManager manager, long chunk) {
        int c = Math.toIntExact(chunk);
        float[] ones = new float[c * c];
        for (int i = 0; i < c; i++) {
            Arrays.fill(ones, i * c, i * c + i + 1, 1);
        }
        return manager.create(ones, new Shape(c, c));
    }

    /** Makes masks from the number of documents started, [chunks, B, C]. */
    private record Layout(Positions positions, long chunks, long chunk, long heads) {

        NDArray derive(String mask, Supplier<NDArray> supplier) {
            return positions.derive(new Key(mask, chunks, chunk, heads), supplier);
        }

        /** Cuts [B, T] into [chunks, B, C], the last token repeated after the end. */
        private NDArray cut(NDArray perToken) {
            long b = positions.batch();
            long missing = chunks * chunk - positions.length();
            NDArray whole = perToken;
            if (missing > 0) {
                NDArray end = perToken.get(":, -1:").broadcast(b, missing);
                whole = perToken.concat(end, 1);
            }
            return whole.reshape(b, chunks, chunk).transpose(1, 0, 2);
        }

        private NDArray documents() {
            return cut(positions.documents());
        }

        /** The document of each chunk's last token, [chunks, B, 1]. */
        private NDArray leaving() {
            return documents().get(":, :, -1:");
        }

        private NDArray entering() {
            NDArray leaving = leaving();
            NDArray continued = leaving.get("0:1").mul(0L); // documents are counted from 1
            return chunks == 1 ? continued : continued.concat(leaving.get("0:-1"), 0);
        }

        NDArray pairs() {
            NDArray documents = documents();
            NDArray same = documents.expandDims(3).eq(documents.expandDims(2)); // [chunks, B, C, C]
            NDArray ones = same.toType(DataType.FLOAT32, false);
            return perHead(ones.mul(causal(positions.manager(), chunk)));
        }

        NDArray sees() {
            return column(documents().eq(entering()));
        }

        NDArray reaches() {
            return column(documents().eq(leaving()));
        }

        NDArray continues() {
            return column(cut(positions.array()).neq(0L));
        }

        private NDArray column(NDArray mask) {
            return perHead(mask.toType(DataType.FLOAT32, false).expandDims(3));
        }

        /** [chunks, B, a, b] → [M, 1, a, b]. */
        private NDArray perHead(NDArray mask) {
            Shape shape = mask.getShape();
            long b = positions.batch();
            return mask.expandDims(2)
                    .broadcast(chunks, b, heads, shape.get(2), shape.get(3))
                    .reshape(chunks * b * heads, 1, shape.get(2), shape.get(3));
        }
    }
}
