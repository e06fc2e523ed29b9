package dev.recurrent.evaluation.statistic;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Holm's correction of several p-values ("A simple sequentially rejective …", 1979). */
public final class Holm {

    private Holm() {}

    /**
     * Corrects p-values for that there are several. In rising order the i-th of m, from 1, becomes
     * (m − i + 1) · p, at least as much as the one before and at most 1. Whoever calls those below
     * α significant is wrong about any of them with a probability of at most α, whatever their
     * dependence.
     *
     * @param values p-values; NaN for those that are none, which do not count
     * @return as many, in their order
     */
    public static double[] correct(double[] values) {
        double[] corrected = new double[values.length];
        List<Integer> order =
                IntStream.range(0, values.length)
                        .filter(i -> !Double.isNaN(values[i]))
                        .boxed()
                        .sorted(Comparator.comparingDouble(i -> values[i]))
                        .toList();
        Arrays.fill(corrected, Double.NaN);
        double least = 0;
        for (int rank = 0; rank < order.size(); rank++) {
            int index = order.get(rank);
            least = Math.max(least, Math.min(1, (order.size() - rank) * values[index]));
            corrected[index] = least;
        }
        return corrected;
    }
}
