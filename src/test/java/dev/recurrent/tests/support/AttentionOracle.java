package dev.recurrent.tests.support;

import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.AttentionConfig.QueryKeyNorm;
import java.util.Map;

/**
 * Attention pair by pair in plain double precision. Tensors are flat row-major arrays; position −1
 * is padding.
 */
public final class AttentionOracle {

    private AttentionOracle() {}

    /** The sizes of q [B, T, H, K], k [B, T, KV, K] and v [B, T, KV, V]. */
    public record Sizes(int batch, int length, int heads, int groups, int keyDim, int valueDim) {}

    /** Returns [B, T, H, V], zero at padding; a window of 0 is all. */
    public static double[] attend(
            Sizes sizes,
            double[] q,
            double[] k,
            double[] v,
            long[] positions,
            int window,
            double scale) {
        double[] o = new double[sizes.batch * sizes.length * sizes.heads * sizes.valueDim];
        for (int b = 0; b < sizes.batch; b++) {
            for (int t = 0; t < sizes.length; t++) {
                int token = b * sizes.length + t;
                for (int h = 0; h < sizes.heads && positions[token] >= 0; h++) {
                    head(sizes, q, k, v, positions, window, scale, token, h, o);
                }
            }
        }
        return o;
    }

    /** Walks back from a token through its document, as far as the window reaches. */
    private static void head(
            Sizes sizes,
            double[] q,
            double[] k,
            double[] v,
            long[] positions,
            int window,
            double scale,
            int token,
            int head,
            double[] o) {
        int group = head / (sizes.heads / sizes.groups);
        int row = token / sizes.length * sizes.length;
        int at = (token * sizes.heads + head) * sizes.valueDim;
        double sum = 0;
        int seen = 0;
        for (int s = token; s >= row && (window == 0 || seen < window); s--) {
            if (positions[s] < 0) {
                continue;
            }
            double score = 0;
            for (int i = 0; i < sizes.keyDim; i++) {
                score +=
                        q[(token * sizes.heads + head) * sizes.keyDim + i]
                                * k[(s * sizes.groups + group) * sizes.keyDim + i];
            }
            double weight = Math.exp(score * scale);
            sum += weight;
            for (int i = 0; i < sizes.valueDim; i++) {
                o[at + i] += weight * v[(s * sizes.groups + group) * sizes.valueDim + i];
            }
            seen++;
            if (positions[s] == 0) {
                break;
            }
        }
        for (int i = 0; i < sizes.valueDim; i++) {
            o[at + i] /= sum;
        }
    }

    /**
     * Rotates the planes (i, i + R/2) of heads [B, T, H, K] by position · θ^(−2i/R), the angle
     * rounded to fp32 as the implementations round it.
     */
    public static double[] rotate(
            double[] x, long[] positions, int headDim, int rotaryDim, double theta) {
        double[] rotated = x.clone();
        int perToken = x.length / positions.length;
        int half = rotaryDim / 2;
        for (int head = 0; head < x.length; head += headDim) {
            float position = positions[head / perToken];
            for (int i = 0; i < half; i++) {
                float angle = position * (float) Math.pow(theta, -2.0 * i / rotaryDim);
                double left = x[head + i];
                double right = x[head + i + half];
                rotated[head + i] = left * Math.cos(angle) - right * Math.sin(angle);
                rotated[head + i + half] = right * Math.cos(angle) + left * Math.sin(angle);
            }
        }
        return rotated;
    }

    /**
     * The whole mixer.
     *
     * @param parameters by path, such as {@code q_proj.weight}
     * @param x [B, T, D]
     * @return [B, T, D], unspecified at padding
     */
    public static double[] mix(
            AttentionConfig config,
            Map<String, double[]> parameters,
            double[] x,
            long[] positions,
            int batch) {
        int heads = (int) config.heads();
        int groups = (int) config.keyValueHeads();
        int headDim = (int) config.headDim();
        int tokens = positions.length;
        double[] q = project(parameters, "q_proj", x, tokens);
        double[] gate = null;
        if (config.outputGate()) {
            double[] both = q;
            q = new double[both.length / 2];
            gate = new double[both.length / 2];
            for (int i = 0; i < q.length; i++) {
                int from = i / headDim * 2 * headDim + i % headDim;
                q[i] = both[from];
                gate[i] = both[from + headDim];
            }
        }
        double[] k = project(parameters, "k_proj", x, tokens);
        double[] v = project(parameters, "v_proj", x, tokens);
        if (config.queryKeyNorm() != QueryKeyNorm.NONE) {
            normalize(config, parameters.get("q_norm.weight"), q);
            normalize(config, parameters.get("k_norm.weight"), k);
        }
        int rotaryDim = (int) config.rotaryDim();
        q = rotate(q, positions, headDim, rotaryDim, config.rotaryTheta());
        k = rotate(k, positions, headDim, rotaryDim, config.rotaryTheta());
        Sizes sizes = new Sizes(batch, tokens / batch, heads, groups, headDim, headDim);
        double scale = 1 / Math.sqrt(headDim);
        double[] o = attend(sizes, q, k, v, positions, config.window(), scale);
        for (int i = 0; gate != null && i < o.length; i++) {
            o[i] /= 1 + Math.exp(-gate[i]);
        }
        return project(parameters, "o_proj", o, tokens);
    }

    private static double[] project(
            Map<String, double[]> parameters, String name, double[] x, int tokens) {
        double[] weight = parameters.get(name + ".weight");
        double[] bias = parameters.get(name + ".bias");
        int inputs = x.length / tokens;
        int outputs = weight.length / inputs;
        double[] y = new double[tokens * outputs];
        for (int i = 0; i < y.length; i++) {
            double sum = bias == null ? 0 : bias[i % outputs];
            for (int j = 0; j < inputs; j++) {
                sum += weight[i % outputs * inputs + j] * x[i / outputs * inputs + j];
            }
            y[i] = sum;
        }
        return y;
    }

    /** Divides every vector of the weight's size by its root mean square, in place. */
    private static void normalize(AttentionConfig config, double[] weight, double[] x) {
        int size = weight.length;
        for (int start = 0; start < x.length; start += size) {
            double squares = 0;
            for (int i = 0; i < size; i++) {
                squares += x[start + i] * x[start + i];
            }
            double root = Math.sqrt(squares / size + config.norm().epsilon());
            for (int i = 0; i < size; i++) {
                double scale = config.norm().zeroCentred() ? 1 + weight[i] : weight[i];
                x[start + i] *= scale / root;
            }
        }
    }
}
