package dev.recurrent.training.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The figures of a run, as {@link MetricsFile} has written them; NaN for what is not there or was
 * not finite.
 *
 * @param training one a step, in the order of steps
 * @param validation one a validation, in the order of steps
 */
public record RunMetrics(List<Training> training, List<Validation> validation) {

    /** Copies the lists. */
    public RunMetrics {
        training = List.copyOf(training);
        validation = List.copyOf(validation);
    }

    /**
     * A step of training.
     *
     * @param step its number
     * @param loss in nats a token
     * @param learningRate the rate that it used
     * @param gradientNorm before clipping
     * @param tokens of this and all earlier steps
     * @param tokensPerSecond of this step
     * @param seconds of this and all earlier steps
     */
    public record Training(
            long step,
            double loss,
            double learningRate,
            double gradientNorm,
            long tokens,
            double tokensPerSecond,
            double seconds) {}

    /**
     * A validation.
     *
     * @param step after which it was made
     * @param loss in nats a token
     * @param accuracy the part of tokens that the model would have guessed
     */
    public record Validation(long step, double loss, double accuracy) {}

    /**
     * Reads a metrics file, also one that is being written.
     *
     * @param file the file
     * @return its figures; what a torn last line holds is left out
     * @throws MetricsFileException if it is no metrics file
     * @throws IOException if it cannot be read
     */
    public static RunMetrics read(Path file) throws IOException {
        List<Training> training = new ArrayList<>();
        List<Validation> validation = new ArrayList<>();
        try (MetricsLines lines = new MetricsLines(file)) {
            for (MetricsLine line = lines.next(); line != null; line = lines.next()) {
                if (line.isValidation()) {
                    validation.add(line.validation());
                } else {
                    training.add(line.training());
                }
            }
        }
        return new RunMetrics(training, validation);
    }
}
