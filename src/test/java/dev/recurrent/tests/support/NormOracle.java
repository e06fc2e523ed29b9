package dev.recurrent.tests.support;

/** RMS normalisation and its gradients in plain double precision, as their definitions say. */
public final class NormOracle {

    private NormOracle() {}

    /** What is normalised, and what becomes of it. */
    public enum Form {
        PLAIN,
        NORM_THEN_GATE,
        GATE_THEN_NORM,
        ADD_THEN_NORM
    }

    /**
     * A norm.
     *
     * @param form what is normalised
     * @param parts of the last dimension
     * @param centred whether weights are stored minus one
     * @param epsilon ε
     */
    public record Norm(Form form, int parts, boolean centred, double epsilon) {}

    /**
     * Values and gradients, flat and row by row.
     *
     * @param y the result
     * @param dx of x
     * @param dw of the weight
     * @param dother of the gate or the update
     */
    public record Result(double[] y, double[] dx, double[] dw, double[] dother) {}

    /**
     * Computes all of them.
     *
     * @param norm which
     * @param x what is normalised; the rounded sum where an update is added
     * @param w the weight
     * @param gate null without one
     * @param dy gradient of the result
     * @param ds gradient of the sum; null without one
     */
    public static Result of(
            Norm norm, double[] x, double[] w, double[] gate, double[] dy, double[] ds) {
        int size = w.length / norm.parts();
        Result result =
                new Result(
                        new double[x.length],
                        new double[x.length],
                        new double[w.length],
                        new double[x.length]);
        for (int begin = 0; begin < x.length; begin += size) {
            part(norm, begin, size, x, w, gate, dy, ds, result);
        }
        return result;
    }

    private static void part(
            Norm norm,
            int begin,
            int size,
            double[] x,
            double[] w,
            double[] gate,
            double[] dy,
            double[] ds,
            Result result) {
        boolean before = norm.form() == Form.GATE_THEN_NORM;
        boolean after = norm.form() == Form.NORM_THEN_GATE;
        double[] v = new double[size];
        double[] g = new double[size]; // gradient of the normalised v
        double squares = 0;
        double products = 0;
        for (int i = 0; i < size; i++) {
            int at = begin + i;
            double factor = gate == null ? 1 : silu(gate[at]);
            v[i] = x[at] * (before ? factor : 1);
            g[i] = dy[at] * weight(norm, w, at) * (after ? factor : 1);
            squares += v[i] * v[i];
            products += v[i] * g[i];
        }
        double scale = 1 / Math.sqrt(squares / size + norm.epsilon());
        for (int i = 0; i < size; i++) {
            int at = begin + i;
            double factor = gate == null ? 1 : silu(gate[at]);
            double normal = v[i] * scale;
            double dv = scale * (g[i] - v[i] * products * scale * scale / size);
            result.y[at] = normal * weight(norm, w, at) * (after ? factor : 1);
            result.dx[at] = dv * (before ? factor : 1) + (ds == null ? 0 : ds[at]);
            result.dw[at % w.length] += dy[at] * normal * (after ? factor : 1);
            if (after) {
                result.dother[at] = dy[at] * normal * weight(norm, w, at) * slope(gate[at]);
            } else {
                result.dother[at] = before ? dv * x[at] * slope(gate[at]) : result.dx[at];
            }
        }
    }

    private static double weight(Norm norm, double[] w, int at) {
        return w[at % w.length] + (norm.centred() ? 1 : 0);
    }

    private static double silu(double x) {
        return x / (1 + Math.exp(-x));
    }

    private static double slope(double x) {
        double s = 1 / (1 + Math.exp(-x));
        return s * (1 + x * (1 - s));
    }
}
