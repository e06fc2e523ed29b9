package dev.recurrent.evaluation.report.compare;

import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.ModelResult;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/** In what two runs differ that may explain a difference of their scores. */
final class ConfigDifferences {

    /** What is compared, or cannot change a score. */
    private static final Set<String> HARMLESS =
            Set.of("model", "models", "tasks", "date", "output", "output_path", "log_samples");

    private ConfigDifferences() {}

    static List<String> of(EvaluationReport a, EvaluationReport b) {
        List<String> differences = new ArrayList<>();
        Set<String> names = new LinkedHashSet<>(a.settings().keySet());
        names.addAll(b.settings().keySet());
        names.removeAll(HARMLESS);
        for (String name : names) {
            Object first = a.settings().get(name);
            Object second = b.settings().get(name);
            if (!Objects.equals(first, second)) {
                differences.add("The runs differ in " + name + ": " + first + " / " + second);
            }
        }
        return differences;
    }

    static List<String> of(ModelResult a, ModelResult b) {
        long first = a.measured().documents();
        long second = b.measured().documents();
        return first == second
                ? List.of()
                : List.of(
                        "The runs differ in the samples of "
                                + a.model()
                                + " "
                                + a.key()
                                + ": "
                                + first
                                + " / "
                                + second);
    }
}
