package dev.recurrent.evaluation.report.compare;

import dev.recurrent.evaluation.statistic.Difference;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;

/**
 * A score in two runs.
 *
 * @param first the first run's model
 * @param second the second run's model
 * @param task the task's name
 * @param length of its sequences; 0 for its own
 * @param a the score in the first run
 * @param b the score in the second
 * @param difference b − a
 * @param holm the difference's p-value, corrected for all scores that are compared
 */
public record ScoreDifference(
        String first,
        String second,
        String task,
        int length,
        Estimate a,
        Estimate b,
        Difference difference,
        double holm) {

    /** Returns the model, or both where they differ. */
    public String models() {
        return first.equals(second) ? first : first + " → " + second;
    }

    /** Returns the metric. */
    public Metric metric() {
        return a.metric();
    }

    /** Returns 1 where the second run is better, −1 where it is worse, 0 where neither. */
    public int improvement() {
        double rise = difference.value();
        if (rise == 0 || Double.isNaN(rise)) {
            return 0;
        }
        return rise > 0 == (metric().direction() == Metric.Direction.HIGHER) ? 1 : -1;
    }

    /** Returns ** for p &lt; .01, * for p &lt; .05, else nothing. */
    public static String stars(double p) {
        return p < 0.01 ? "**" : p < 0.05 ? "*" : "";
    }

    ScoreDifference withHolm(double p) {
        return new ScoreDifference(first, second, task, length, a, b, difference, p);
    }
}
