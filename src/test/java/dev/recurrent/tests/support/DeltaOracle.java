package dev.recurrent.tests.support;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;

/**
 * The gated delta rule as arXiv 2412.06464 writes it (equation 10), token by token in float64 on
 * plain arrays: S ← exp(g)S; S ← S + k ⊗ β(v − Sᵀk); o = scale·Sᵀq. Without β, S ← S + k ⊗ v.
 */
public final class DeltaOracle {

    private DeltaOracle() {}

    /** Outputs [B, T, HV, V] and the state after the last token [B, HV, K, V], as float32. */
    public record Output(NDArray values, NDArray state) {}

    /**
     * Runs the recurrence.
     *
     * @param q [B, T, H, K]
     * @param k [B, T, H, K]
     * @param v [B, T, HV, V]
     * @param beta [B, T, HV] or null
     * @param logDecay [B, T, HV] or null
     * @param scale of outputs
     * @param state [B, HV, K, V] or null
     * @param positions of all tokens, row by row: 0 empties the state, −1 leaves it; null for none
     * @return outputs, zero at padding, and the state
     */
    public static Output apply(
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            double scale,
            NDArray state,
            long[] positions) {
        Shape queries = q.getShape();
        Shape values = v.getShape();
        int b = (int) queries.get(0);
        int t = (int) queries.get(1);
        int h = (int) queries.get(2);
        int hv = (int) values.get(2);
        int keyDim = (int) queries.get(3);
        int valueDim = (int) values.get(3);
        float[] qs = q.toFloatArray();
        float[] ks = k.toFloatArray();
        float[] vs = v.toFloatArray();
        float[] betas = beta == null ? null : beta.toFloatArray();
        float[] gates = logDecay == null ? null : logDecay.toFloatArray();
        float[] initial = state == null ? null : state.toFloatArray();
        float[] outputs = new float[b * t * hv * valueDim];
        float[] states = new float[b * hv * keyDim * valueDim];
        for (int row = 0; row < b; row++) {
            for (int head = 0; head < hv; head++) {
                int base = (row * hv + head) * keyDim * valueDim;
                double[][] memory = new double[keyDim][valueDim];
                for (int i = 0; initial != null && i < keyDim * valueDim; i++) {
                    memory[i / valueDim][i % valueDim] = initial[base + i];
                }
                for (int token = 0; token < t; token++) {
                    int place = row * t + token;
                    if (positions != null && positions[place] == -1) {
                        continue;
                    }
                    if (positions != null && positions[place] == 0) {
                        memory = new double[keyDim][valueDim];
                    }
                    int scalar = place * hv + head;
                    Step step =
                            new Step(
                                    memory,
                                    slice(qs, place * h + head / (hv / h), keyDim),
                                    slice(ks, place * h + head / (hv / h), keyDim),
                                    slice(vs, scalar, valueDim));
                    step.decay(gates == null ? 1 : Math.exp(gates[scalar]));
                    step.write(betas == null ? Double.NaN : betas[scalar]);
                    for (int j = 0; j < valueDim; j++) {
                        outputs[scalar * valueDim + j] = (float) (scale * step.read(j));
                    }
                }
                for (int i = 0; i < keyDim * valueDim; i++) {
                    states[base + i] = (float) memory[i / valueDim][i % valueDim];
                }
            }
        }
        NDManager manager = v.getManager();
        return new Output(
                manager.create(outputs, values),
                manager.create(states, new Shape(b, hv, keyDim, valueDim)));
    }

    private static double[] slice(float[] values, int row, int length) {
        double[] slice = new double[length];
        for (int i = 0; i < length; i++) {
            slice[i] = values[row * length + i];
        }
        return slice;
    }

    /** One token of one head. */
    private record Step(double[][] memory, double[] q, double[] k, double[] v) {

        void decay(double factor) {
            for (double[] row : memory) {
                for (int j = 0; j < row.length; j++) {
                    row[j] *= factor;
                }
            }
        }

        /** A beta of NaN stands for none: v is added as it is. */
        void write(double beta) {
            for (int j = 0; j < v.length; j++) {
                double update = Double.isNaN(beta) ? v[j] : beta * (v[j] - column(j, k));
                for (int i = 0; i < k.length; i++) {
                    memory[i][j] += k[i] * update;
                }
            }
        }

        double read(int j) {
            return column(j, q);
        }

        private double column(int j, double[] weights) {
            double sum = 0;
            for (int i = 0; i < weights.length; i++) {
                sum += weights[i] * memory[i][j];
            }
            return sum;
        }
    }
}
