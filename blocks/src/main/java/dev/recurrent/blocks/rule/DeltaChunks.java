package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.Aten;

/**
 * The delta rule over chunks of C tokens (arXiv 2412.06464, section 3.3, with the UT transform of
 * arXiv 2406.06484, section 3.2). For a chunk that the state S enters, with D the decay between
 * pairs of its tokens, e the decay from its start and r the decay to its end:
 *
 * <pre>
 * A  = (I + tril(β·KKᵀ ⊙ D, −1))⁻¹
 * W  = A·(β·e·K),  U = A·(β·V)
 * N  = U − W·S                                 (N = V without β)
 * O  = e·Q·S + (QKᵀ ⊙ D)·N
 * S' = e_C·S + (r·K)ᵀ·N
 * </pre>
 *
 * Only N and S' have to wait for the chunk before; all else is computed for all chunks at once.
 * Tensors stand as [M, G, C, ·]: M = chunks · B · H in this order, G = HV/H, or 1 for what a group
 * of value heads shares.
 */
final class DeltaChunks {

    /** A chunk's cost in its own tokens grows with this, the number of steps shrinks. */
    private static final long MAX_CHUNK = 64;

    /** Chunks are a multiple of this, so that rows of products stay aligned. */
    private static final long ALIGNMENT = 8;

    private final DeltaSizes sizes;
    private final long chunks;
    private final long chunk;

    private DeltaChunks(DeltaSizes sizes) {
        this.sizes = sizes;
        chunks = ceilDiv(sizes.time(), MAX_CHUNK);
        long tokens = ceilDiv(sizes.time(), chunks);
        chunk = chunks == 1 ? tokens : ceilDiv(tokens, ALIGNMENT) * ALIGNMENT;
    }

    private static long ceilDiv(long a, long b) {
        return (a + b - 1) / b;
    }

    /** As {@link DeltaRule#apply}, for float32 arguments that are neutral at padding, q scaled. */
    static DeltaRule.Output apply(
            DeltaSizes sizes,
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            NDArray state,
            Positions positions) {
        return new DeltaChunks(sizes).run(q, k, v, beta, logDecay, state, positions);
    }

    private DeltaRule.Output run(
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            NDArray state,
            Positions positions) {
        NDArray queries = cut(q); // [M, 1, C, K]
        NDArray keys = cut(k); // [M, 1, C, K]
        NDArray values = cut(v); // [M, G, C, V]
        NDArray gates = logDecay == null ? null : cut(logDecay.expandDims(3)); // [M, G, C, 1]
        ChunkMasks masks = ChunkMasks.of(positions, chunks, chunk, sizes.heads());
        ChunkDecay decay = ChunkDecay.of(gates, masks);

        // A copy: products with it are twice as fast as with a transposed view.
        NDArray transposed = Aten.contiguous(keys.transpose(0, 1, 3, 2)); // [M, 1, K, C]
        NDArray scores = queries.matMul(transposed).mul(decay.pairs()); // [M, G, C, C]
        NDArray toEnd = times(keys, decay.toEnd()).transpose(0, 1, 3, 2); // [M, G, K, C]

        DeltaStates states = new DeltaStates(sizes, chunks, state);
        if (beta == null) {
            states.accumulate(values, toEnd.matMul(values), decay.across());
        } else {
            NDArray strengths = cut(beta.expandDims(3)); // [M, G, C, 1]
            NDArray overlaps = keys.matMul(transposed); // [M, 1, C, C]
            if (decay.fromStart() != null) {
                overlaps = overlaps.mul(decay.pairs()); // [M, G, C, C]
            }
            // The inverse itself: products with it are several times faster than solving for
            // W and U, and a batch of small systems is solved one by one on CPU.
            NDArray identity = keys.getManager().eye(Math.toIntExact(chunk));
            NDArray inverse = Aten.solveUnitLower(overlaps.mul(strengths), identity);
            NDArray weighted = inverse.mul(row(strengths)); // [M, G, C, C]
            NDArray writes = weighted.matMul(values); // U [M, G, C, V]
            NDArray fromStart = row(decay.fromStart());
            NDArray reads = times(weighted, fromStart).matMul(keys); // W [M, G, C, K]
            states.correct(reads, writes, toEnd, decay.across());
        }
        NDArray output = scores.matMul(states.written()); // [M, G, C, V]
        if (states.entering() != null) {
            output.addi(times(queries, decay.fromStart()).matMul(states.entering()));
        }
        return new DeltaRule.Output(join(output), states.leaving());
    }

    private static NDArray times(NDArray array, NDArray factor) {
        return factor == null ? array : array.mul(factor);
    }

    /** [M, G, C, 1] → [M, G, 1, C]. */
    private static NDArray row(NDArray column) {
        return column == null ? null : column.transpose(0, 1, 3, 2);
    }

    /** [B, T, H or HV, n] → [M, 1 or G, C, n], with zeros after the last token. */
    private NDArray cut(NDArray array) {
        Shape shape = array.getShape();
        long b = sizes.batch();
        long h = sizes.heads();
        long g = shape.get(2) / h;
        long n = shape.get(3);
        long missing = chunks * chunk - sizes.time();
        NDArray whole = array;
        if (missing > 0) {
            NDArray zeros = array.getManager().zeros(new Shape(b, missing, h * g, n));
            whole = array.concat(zeros, 1); // [B, chunks · C, H · G, n]
        }
        return whole.reshape(b, chunks, chunk, h, g, n)
                .transpose(1, 0, 3, 4, 2, 5)
                .reshape(chunks * b * h, g, chunk, n);
    }

    /** [M, G, C, V] → [B, T, HV, V]. */
    private NDArray join(NDArray array) {
        long b = sizes.batch();
        long h = sizes.heads();
        long g = sizes.group();
        long n = sizes.valueDim();
        NDArray whole =
                array.reshape(chunks, b, h, g, chunk, n)
                        .transpose(1, 0, 4, 2, 3, 5)
                        .reshape(b, chunks * chunk, h * g, n);
        return chunks * chunk == sizes.time() ? whole : Aten.narrow(whole, 1, 0, sizes.time());
    }
}
