package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;

/** The sizes of one application of the delta rule, checked. */
record DeltaSizes(long batch, long time, long heads, long group, long keyDim, long valueDim) {

    /** Returns the sizes that the arguments of {@link DeltaRule#apply} agree on. */
    static DeltaSizes check(
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            NDArray state,
            Positions positions) {
        Shape queries = q.getShape();
        Shape values = v.getShape();
        if (queries.dimension() != 4 || values.dimension() != 4) {
            throw new IllegalArgumentException(
                    "The delta rule expects q [B, T, H, K] and v [B, T, HV, V], not "
                            + queries
                            + " and "
                            + values);
        }
        long b = positions.batch();
        long t = positions.length();
        long h = queries.get(2);
        long hv = values.get(2);
        if (hv % h != 0) {
            throw new IllegalArgumentException(
                    "The delta rule expects value heads to be a multiple of query heads, not "
                            + hv
                            + " and "
                            + h);
        }
        expect("q", q, new Shape(b, t, h, queries.get(3)));
        expect("k", k, new Shape(b, t, h, queries.get(3)));
        expect("v", v, new Shape(b, t, hv, values.get(3)));
        expect("beta", beta, new Shape(b, t, hv));
        expect("the log decay", logDecay, new Shape(b, t, hv));
        expect("a state", state, new Shape(b, hv, queries.get(3), values.get(3)));
        if (!positions.isCompact()) {
            throw new IllegalArgumentException(
                    "The delta rule expects padding only at the ends of rows: compact first");
        }
        return new DeltaSizes(b, t, h, hv / h, queries.get(3), values.get(3));
    }

    private static void expect(String what, NDArray array, Shape shape) {
        if (array != null && !array.getShape().equals(shape)) {
            throw new IllegalArgumentException(
                    "The delta rule expects " + what + " " + shape + ", not " + array.getShape());
        }
    }
}
