package dev.recurrent.evaluation.report.compare;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.FileNames;
import dev.recurrent.evaluation.report.ModelResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** An evaluation that is compared: its results, and its samples where they are beside them. */
final class Run {

    private final Path file;
    private final EvaluationReport report;
    private final Map<String, Optional<Samples>> samples = new HashMap<>();

    private Run(Path file, EvaluationReport report) {
        this.file = file;
        this.report = report;
    }

    static Run read(Path file) throws IOException {
        return new Run(file, EvaluationReport.read(file));
    }

    Path file() {
        return file;
    }

    EvaluationReport report() {
        return report;
    }

    List<String> models() {
        return report.results().stream().map(ModelResult::model).distinct().toList();
    }

    Optional<ModelResult> find(String model, String key) {
        return report.results().stream()
                .filter(result -> result.model().equals(model) && result.key().equals(key))
                .findFirst();
    }

    /**
     * Returns a task's samples.
     *
     * @param required whether they must be there
     * @throws InvalidInputException if they must be and are not, naming the file
     */
    Optional<Samples> samples(String task, boolean required) throws IOException {
        Optional<Path> beside = FileNames.samplesBeside(file, task);
        if (beside.isEmpty() || !Files.isRegularFile(beside.get())) {
            if (required) {
                throw new InvalidInputException(
                        "There are no samples of "
                                + task
                                + " beside "
                                + file
                                + beside.map(path -> ": no file " + path).orElse("")
                                + "; evaluate writes them with --log-samples");
            }
            return Optional.empty();
        }
        if (!samples.containsKey(task)) {
            samples.put(task, Optional.of(Samples.read(beside.get())));
        }
        return samples.get(task);
    }
}
