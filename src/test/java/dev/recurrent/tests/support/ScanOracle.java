package dev.recurrent.tests.support;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;

/**
 * Convolution and recurrences token by token in plain double precision, as the papers write them.
 * Tensors are flat row-major arrays.
 */
public final class ScanOracle {

    private ScanOracle() {}

    /** Values and the state that a rule leaves. */
    public record Result(double[] values, double[] state) {}

    /**
     * The causal depthwise convolution; position −1 is padding at the end of a row.
     *
     * @param x [B, T, C]
     * @param weight [C, 1, W]
     * @param bias [C] or null
     * @param state [B, W−1, C] or null
     * @param positions B·T positions
     * @param batch B
     * @param taps W
     * @return [B, T, C], zero at padding, and [B, W−1, C]
     */
    public static Result convolution(
            double[] x,
            double[] weight,
            double[] bias,
            double[] state,
            long[] positions,
            int batch,
            int taps) {
        int length = positions.length / batch;
        int channels = x.length / positions.length;
        int memory = taps - 1;
        double[] values = new double[x.length];
        double[] after = new double[batch * memory * channels];
        for (int b = 0; b < batch; b++) {
            for (int c = 0; c < channels; c++) {
                // What the document has brought so far, the newest last.
                double[] seen = new double[memory];
                for (int i = 0; i < memory && state != null; i++) {
                    seen[i] = state[(b * memory + i) * channels + c];
                }
                for (int t = 0; t < length; t++) {
                    long position = positions[b * length + t];
                    int at = (b * length + t) * channels + c;
                    if (position < 0) {
                        continue;
                    }
                    if (position == 0) {
                        seen = new double[memory];
                    }
                    double sum = bias == null ? 0 : bias[c];
                    for (int i = 0; i < memory; i++) {
                        sum += weight[c * taps + i] * seen[i];
                    }
                    values[at] = sum + weight[c * taps + memory] * x[at];
                    if (memory > 0) {
                        System.arraycopy(seen, 1, seen, 0, memory - 1);
                        seen[memory - 1] = x[at];
                    }
                }
                for (int i = 0; i < memory; i++) {
                    after[(b * memory + i) * channels + c] = seen[i];
                }
            }
        }
        return new Result(values, after);
    }

    /**
     * The recurrence h_t = a_t·h_{t−1} + x_t; at position 0 a counts as 0, position −1 changes
     * nothing.
     *
     * @param x [B, T, E]
     * @param decay [B, T, E]
     * @param state [B, E] or null
     * @param positions B·T positions
     * @param batch B
     * @return [B, T, E], zero at padding, and [B, E]
     */
    public static Result recurrence(
            double[] x, double[] decay, double[] state, long[] positions, int batch) {
        int length = positions.length / batch;
        int width = x.length / positions.length;
        double[] values = new double[x.length];
        double[] h = state == null ? new double[batch * width] : state.clone();
        for (int i = 0; i < x.length; i++) {
            long position = positions[i / width];
            int channel = i / width / length * width + i % width;
            if (position >= 0) {
                h[channel] = (position == 0 ? 0 : decay[i] * h[channel]) + x[i];
                values[i] = h[channel];
            }
        }
        return new Result(values, h);
    }

    /**
     * The gradients of Σ dy·h + Σ ds·h_T of {@link #recurrence}, by its adjoint G_t = dy_t +
     * a_{t+1} G_{t+1}.
     *
     * @return dx, da and the state's gradient
     */
    public static double[][] recurrenceGradients(
            double[] x,
            double[] decay,
            double[] state,
            long[] positions,
            int batch,
            double[] dy,
            double[] ds) {
        int length = positions.length / batch;
        int width = x.length / positions.length;
        double[] h = recurrence(x, decay, state, positions, batch).values();
        double[] dx = new double[x.length];
        double[] da = new double[x.length];
        double[] adjoint = ds.clone();
        for (int row = 0; row < batch; row++) {
            for (int t = length - 1; t >= 0; t--) {
                long position = positions[row * length + t];
                for (int c = 0; c < width && position >= 0; c++) {
                    int at = (row * length + t) * width + c;
                    int channel = row * width + c;
                    double before = t > 0 ? h[at - width] : state == null ? 0 : state[channel];
                    adjoint[channel] += dy[at];
                    dx[at] = adjoint[channel];
                    da[at] = position == 0 ? 0 : adjoint[channel] * before;
                    adjoint[channel] *= position == 0 ? 0 : decay[at];
                }
            }
        }
        return new double[][] {dx, da, adjoint};
    }

    /**
     * The state-space recurrence of Mamba-2, S_t = exp(dt·a)·S_{t−1} + B_t ⊗ dt·x_t, y_t = S_tᵀC_t
     * + d·x_t, from S = 0; position 0 empties S, position −1 changes nothing.
     *
     * @param x [B, T, H, P]
     * @param dt [B, T, H]
     * @param a [H]
     * @param keys B [B, T, G, N]
     * @param queries C [B, T, G, N]
     * @param d [H]
     * @param positions B·T positions
     * @param batch B
     * @param groups G
     * @return [B, T, H, P], zero at padding, and [B, H, N, P]
     */
    public static Result stateSpace(
            double[] x,
            double[] dt,
            double[] a,
            double[] keys,
            double[] queries,
            double[] d,
            long[] positions,
            int batch,
            int groups) {
        int heads = a.length;
        int length = positions.length / batch;
        int size = x.length / positions.length / heads;
        int states = keys.length / positions.length / groups;
        double[] y = new double[x.length];
        double[] memory = new double[batch * heads * states * size];
        for (int at = 0; at < dt.length; at++) {
            int token = at / heads;
            int head = at % heads;
            if (positions[token] < 0) {
                continue;
            }
            int matrix = (token / length * heads + head) * states * size;
            double kept = positions[token] == 0 ? 0 : Math.exp(dt[at] * a[head]);
            for (int p = 0; p < size; p++) {
                y[at * size + p] = d[head] * x[at * size + p];
            }
            for (int n = 0; n < states; n++) {
                int key = (token * groups + head / (heads / groups)) * states + n;
                for (int p = 0; p < size; p++) {
                    int cell = matrix + n * size + p;
                    memory[cell] = kept * memory[cell] + keys[key] * dt[at] * x[at * size + p];
                    y[at * size + p] += memory[cell] * queries[key];
                }
            }
        }
        return new Result(y, memory);
    }

    /** Returns a tensor's elements. */
    public static double[] doubles(NDArray array) {
        if (array == null) {
            return null;
        }
        float[] floats = array.toFloatArray();
        double[] doubles = new double[floats.length];
        for (int i = 0; i < floats.length; i++) {
            doubles[i] = floats[i];
        }
        return doubles;
    }

    /** Returns a float32 tensor. */
    public static NDArray tensor(NDManager manager, double[] values, Shape shape) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return manager.create(floats, shape);
    }
}
