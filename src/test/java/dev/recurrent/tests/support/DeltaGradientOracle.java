package dev.recurrent.tests.support;

/**
 * The gated delta rule and its gradients token by token in double precision: the recurrence of
 * arXiv 2412.06464, equation 10, and its derivative step by step backwards. Tensors are flat
 * row-major arrays; position 0 empties the state, position −1 is skipped.
 */
public final class DeltaGradientOracle {

    private final Sizes sizes;
    private final Values given;
    private final double scale;
    private final long[] positions;
    private final Values gradients;

    private DeltaGradientOracle(Sizes sizes, Values given, double scale, long[] positions) {
        this.sizes = sizes;
        this.given = given;
        this.scale = scale;
        this.positions = positions;
        gradients =
                new Values(
                        new double[given.q.length],
                        new double[given.k.length],
                        new double[given.v.length],
                        new double[sizes.batch * sizes.time * sizes.valueHeads],
                        new double[sizes.batch * sizes.time * sizes.valueHeads],
                        new double[sizes.stateSize() * sizes.batch * sizes.valueHeads]);
    }

    /** B, T, H, HV, K and V. */
    public record Sizes(int batch, int time, int heads, int valueHeads, int keyDim, int valueDim) {

        int stateSize() {
            return keyDim * valueDim;
        }
    }

    /**
     * Arguments of the rule, or the gradients of a loss with respect to them.
     *
     * @param q [B, T, H, K]
     * @param k [B, T, H, K]
     * @param v [B, T, HV, V]
     * @param beta [B, T, HV]; as an argument null for no correction
     * @param logDecay [B, T, HV]; as an argument null for zero
     * @param state [B, HV, K, V]; as an argument null for zero
     */
    public record Values(
            double[] q, double[] k, double[] v, double[] beta, double[] logDecay, double[] state) {

        /** Returns them in order. */
        public double[][] toArray() {
            return new double[][] {q, k, v, beta, logDecay, state};
        }
    }

    /**
     * Returns Σ values · o + Σ lastState · S for the outputs o and the state S after them.
     *
     * @param values [B, T, HV, V]
     * @param lastState [B, HV, K, V]
     */
    public static double loss(
            Sizes sizes,
            Values given,
            double scale,
            long[] positions,
            double[] values,
            double[] lastState) {
        double loss = 0;
        for (int row = 0; row < sizes.batch; row++) {
            for (int head = 0; head < sizes.valueHeads; head++) {
                loss +=
                        new DeltaGradientOracle(sizes, given, scale, positions).new Head(row, head)
                                .loss(values, lastState);
            }
        }
        return loss;
    }

    /** Returns the gradients of {@link #loss}, zero for absent arguments and padding. */
    public static Values gradients(
            Sizes sizes,
            Values given,
            double scale,
            long[] positions,
            double[] values,
            double[] lastState) {
        DeltaGradientOracle oracle = new DeltaGradientOracle(sizes, given, scale, positions);
        for (int row = 0; row < sizes.batch; row++) {
            for (int head = 0; head < sizes.valueHeads; head++) {
                oracle.new Head(row, head).addGradients(values, lastState);
            }
        }
        return oracle.gradients;
    }

    /** One value head of one row. */
    private final class Head {

        private final int row;
        private final int head;
        private final int stateAt;
        private final double[][] states; // before each token, and after the last

        Head(int row, int head) {
            this.row = row;
            this.head = head;
            stateAt = (row * sizes.valueHeads + head) * sizes.stateSize();
            states = new double[sizes.time + 1][sizes.stateSize()];
            if (given.state != null) {
                System.arraycopy(given.state, stateAt, states[0], 0, sizes.stateSize());
            }
        }

        private int token(int t) {
            return row * sizes.time + t;
        }

        private int gateAt(int t) {
            return token(t) * sizes.valueHeads + head;
        }

        private int keyAt(int t) {
            int group = sizes.valueHeads / sizes.heads;
            return (token(t) * sizes.heads + head / group) * sizes.keyDim;
        }

        private double beta(int t) {
            return given.beta == null ? 1 : given.beta[gateAt(t)];
        }

        /** The state that token t corrects. */
        private double[] decayed(int t) {
            double[] before = states[t];
            double[] decayed = new double[before.length];
            if (positions[token(t)] != 0) {
                double kept = given.logDecay == null ? 1 : Math.exp(given.logDecay[gateAt(t)]);
                for (int i = 0; i < before.length; i++) {
                    decayed[i] = kept * before[i];
                }
            }
            return decayed;
        }

        /** v − Sᵀk, or v without correction. */
        private double[] residual(int t, double[] decayed) {
            double[] residual = new double[sizes.valueDim];
            for (int j = 0; j < sizes.valueDim; j++) {
                residual[j] = given.v[gateAt(t) * sizes.valueDim + j];
                for (int i = 0; i < sizes.keyDim && given.beta != null; i++) {
                    residual[j] -= decayed[i * sizes.valueDim + j] * given.k[keyAt(t) + i];
                }
            }
            return residual;
        }

        double loss(double[] values, double[] lastState) {
            double loss = 0;
            for (int t = 0; t < sizes.time; t++) {
                if (positions[token(t)] < 0) {
                    states[t + 1] = states[t];
                    continue;
                }
                double[] next = decayed(t);
                double[] residual = residual(t, next);
                for (int i = 0; i < sizes.keyDim; i++) {
                    for (int j = 0; j < sizes.valueDim; j++) {
                        int at = i * sizes.valueDim + j;
                        next[at] += given.k[keyAt(t) + i] * beta(t) * residual[j];
                        double gradient = values[gateAt(t) * sizes.valueDim + j];
                        loss += scale * given.q[keyAt(t) + i] * next[at] * gradient;
                    }
                }
                states[t + 1] = next;
            }
            for (int i = 0; i < sizes.stateSize(); i++) {
                loss += states[sizes.time][i] * lastState[stateAt + i];
            }
            return loss;
        }

        void addGradients(double[] values, double[] lastState) {
            loss(values, lastState);
            double[] flow = new double[sizes.stateSize()];
            System.arraycopy(lastState, stateAt, flow, 0, flow.length);
            for (int t = sizes.time - 1; t >= 0; t--) {
                if (positions[token(t)] >= 0) {
                    throughRead(t, flow, values);
                    throughWrite(t, flow);
                }
            }
            System.arraycopy(flow, 0, gradients.state, stateAt, flow.length);
        }

        private void throughRead(int t, double[] flow, double[] values) {
            for (int i = 0; i < sizes.keyDim; i++) {
                for (int j = 0; j < sizes.valueDim; j++) {
                    int at = i * sizes.valueDim + j;
                    double gradient = scale * values[gateAt(t) * sizes.valueDim + j];
                    gradients.q[keyAt(t) + i] += states[t + 1][at] * gradient;
                    flow[at] += given.q[keyAt(t) + i] * gradient;
                }
            }
        }

        /** From the gradient of the state after token t to that before it. */
        private void throughWrite(int t, double[] flow) {
            double[] decayed = decayed(t);
            double[] residual = residual(t, decayed);
            double[] update = new double[sizes.valueDim]; // the gradient of β·residual
            for (int i = 0; i < sizes.keyDim; i++) {
                for (int j = 0; j < sizes.valueDim; j++) {
                    double gradient = flow[i * sizes.valueDim + j];
                    gradients.k[keyAt(t) + i] += gradient * beta(t) * residual[j];
                    update[j] += gradient * given.k[keyAt(t) + i];
                }
            }
            for (int j = 0; j < sizes.valueDim; j++) {
                gradients.beta[gateAt(t)] += given.beta == null ? 0 : update[j] * residual[j];
                gradients.v[gateAt(t) * sizes.valueDim + j] = beta(t) * update[j];
            }
            boolean continues = positions[token(t)] != 0;
            double kept = given.logDecay == null ? 1 : Math.exp(given.logDecay[gateAt(t)]);
            for (int i = 0; i < sizes.keyDim; i++) {
                for (int j = 0; j < sizes.valueDim; j++) {
                    int at = i * sizes.valueDim + j;
                    if (given.beta != null) {
                        gradients.k[keyAt(t) + i] -= decayed[at] * beta(t) * update[j];
                        flow[at] -= given.k[keyAt(t) + i] * beta(t) * update[j];
                    }
                    gradients.logDecay[gateAt(t)] +=
                            given.logDecay == null ? 0 : flow[at] * decayed[at];
                    flow[at] = continues ? kept * flow[at] : 0;
                }
            }
        }
    }
}
