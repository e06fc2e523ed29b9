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
