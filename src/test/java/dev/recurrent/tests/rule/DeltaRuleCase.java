package dev.recurrent.tests.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.tests.support.DeltaOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.Objects;

/** Arguments of the delta rule; absent ones are null. */
record DeltaRuleCase(
        NDArray q, NDArray k, NDArray v, NDArray beta, NDArray logDecay, NDArray state) {

    /** Which of the rules. */
    enum Kind {
        DELTA(true, false),
        GATED(true, true),
        DUALITY(false, true),
        LINEAR(false, false);

        final boolean corrects;
        final boolean decays;

        Kind(boolean corrects, boolean decays) {
            this.corrects = corrects;
            this.decays = decays;
        }
    }

    /** Random arguments with keys of norm one and beta in (0, 2), where the rule stays bounded. */
    static DeltaRuleCase random(
            NDManager manager, Kind kind, int b, int t, int h, int hv, int k, int v) {
        NDArray keys = Tensors.normal(manager, 2, b, t, h, k);
        keys = keys.div(keys.mul(keys).sum(new int[] {3}, true).sqrt());
        NDArray beta = Aten.sigmoid(Tensors.normal(manager, 4, b, t, hv)).mul(Scalars.of(2));
        NDArray gates = Tensors.normal(manager, 5, b, t, hv).abs().neg().mul(Scalars.of(.3));
        return new DeltaRuleCase(
                Tensors.normal(manager, 1, b, t, h, k),
                keys,
                Tensors.normal(manager, 3, b, t, hv, v),
                kind.corrects ? beta : null,
                kind.decays ? gates : null,
                Tensors.normal(manager, 6, b, hv, k, v));
    }

    DeltaRuleCase withState(NDArray other) {
        return new DeltaRuleCase(q, k, v, beta, logDecay, other);
    }

    DeltaRuleCase withDecay(NDArray other) {
        return new DeltaRuleCase(q, k, v, beta, other, state);
    }

    /** Tokens from, …, to − 1 with another state. */
    DeltaRuleCase tokens(long from, long to, NDArray other) {
        return new DeltaRuleCase(
                cut(q, from, to),
                cut(k, from, to),
                cut(v, from, to),
                cut(beta, from, to),
                cut(logDecay, from, to),
                other);
    }

    /** One row of the batch. */
    DeltaRuleCase row(long row) {
        return new DeltaRuleCase(
                row(q, row),
                row(k, row),
                row(v, row),
                row(beta, row),
                row(logDecay, row),
                row(state, row));
    }

    private static NDArray row(NDArray array, long row) {
        return array == null ? null : array.get(row + ":" + (row + 1));
    }

    private static NDArray cut(NDArray array, long from, long to) {
        return array == null ? null : array.get(":, " + from + ":" + to);
    }

    NDList arrays() {
        NDList all = new NDList();
        for (NDArray array : new NDArray[] {q, k, v, beta, logDecay, state}) {
            if (array != null) {
                all.add(array);
            }
        }
        return all;
    }

    long length() {
        return q.getShape().get(1);
    }

    double scale() {
        return 1 / Math.sqrt(q.getShape().get(3));
    }

    DeltaRule.Output run(Positions positions) {
        return DeltaRule.apply(q, k, v, beta, logDecay, scale(), state, positions);
    }

    /** Runs as the continuation of a document. */
    DeltaRule.Output run() {
        return run(Positions.range(q.getManager(), q.getShape().get(0), length(), 1));
    }

    DeltaOracle.Output expected(long[] positions) {
        return DeltaOracle.apply(q, k, v, beta, logDecay, scale(), state, positions);
    }

    /** Sums outputs and state with fixed random weights: a loss whose gradient reaches all. */
    static NDArray loss(DeltaRule.Output output) {
        return weighed(output.values(), 7).add(weighed(Objects.requireNonNull(output.state()), 8));
    }

    private static NDArray weighed(NDArray array, long seed) {
        NDArray weights = Tensors.normal(array.getManager(), seed, array.getShape().getShape());
        return array.mul(weights).sum();
    }
}
