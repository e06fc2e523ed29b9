package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Metric;
import java.util.List;

/** What pictures take from results, and how they name it. */
final class Figures {

    private static final int LONGEST_NAME = 40;

    private Figures() {}

    /** Returns a metric's value over everything; NaN where there is none. */
    static double value(ModelResult result, Metric metric) {
        return result.measured().estimates().stream()
                .filter(estimate -> estimate.metric().equals(metric))
                .mapToDouble(Estimate::value)
                .findFirst()
                .orElse(Double.NaN);
    }

    /** Returns the scores of parts along an axis. */
    static List<Estimate> parts(ModelResult result, String axis) {
        return result.measured().parts().stream()
                .filter(part -> part.bucket().axis().equals(axis))
                .toList();
    }

    /** Orders by length; a task's own is taken for the greatest: it is that of a whole text. */
    static int span(ModelResult result) {
        return result.length() == 0 ? Integer.MAX_VALUE : result.length();
    }

    static String words(Metric metric) {
        return metric.name().replace('_', ' ');
    }

    /** What an axis up shows. */
    static String label(Metric metric) {
        return words(metric) + " " + metric.direction().arrow();
    }

    /** The end of a long name tells it apart: paths begin alike. */
    static String shorten(String model) {
        int letters = model.codePointCount(0, model.length());
        return letters <= LONGEST_NAME
                ? model
                : "…" + model.substring(model.offsetByCodePoints(0, letters - LONGEST_NAME + 1));
    }
}
