package dev.recurrent.training.run;

import dev.recurrent.training.StepReport;
import dev.recurrent.training.report.LossCurve;
import dev.recurrent.training.report.MetricsFile;
import dev.recurrent.training.report.ProgressReporter;
import dev.recurrent.training.report.RunMetrics;
import dev.recurrent.training.report.Step;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Locale;
import java.util.function.Consumer;

/** Tells how a run goes: lines for people, the metrics file, and the curve after validations. */
final class RunReporter implements AutoCloseable {

    private final RunFolder folder;
    private final String title;
    private final int steps;
    private final Consumer<String> lines;
    private final ProgressReporter progress;
    private final MetricsFile metrics;
    private double last = Double.NaN;
    private double best = Double.NaN;

    /**
     * Opens the metrics file.
     *
     * @param resume whether the folder holds the run already
     * @param done updates that were made before
     * @throws IOException if it cannot be written, or another file is in its place
     */
    RunReporter(
            RunFolder folder, RunConfig config, boolean resume, long done, Consumer<String> lines)
            throws IOException {
        this.folder = folder;
        this.lines = lines;
        title = config.text(RunSetting.MODEL) + " on " + config.text(RunSetting.DATA);
        steps = config.count(RunSetting.STEPS);
        progress = new ProgressReporter(lines);
        metrics =
                resume
                        ? MetricsFile.resume(folder.metrics(), done)
                        : MetricsFile.create(folder.metrics());
        RunMetrics.read(folder.metrics()).validation().forEach(one -> note(one.loss()));
    }

    void step(StepReport report) {
        Step step =
                new Step(
                        report.step(),
                        steps,
                        report.loss(),
                        report.learningRate(),
                        report.gradientNorm(),
                        report.tokens(),
                        report.seconds());
        progress.update(step);
        try {
            metrics.write(step);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void validation(long step, Validation validation) throws IOException {
        if (Double.isNaN(validation.loss())) {
            return;
        }
        note(validation.loss());
        metrics.writeValidation(step, validation.loss(), validation.accuracy());
        lines.accept(
                String.format(
                        Locale.ROOT,
                        "step %d/%d: validation loss %.4f, accuracy %.4f",
                        step,
                        steps,
                        validation.loss(),
                        validation.accuracy()));
        draw();
    }

    private void note(double loss) {
        last = loss;
        best = best <= loss ? best : loss;
    }

    /** Draws the curve of what the metrics file holds. */
    void draw() throws IOException {
        new LossCurve(title).add(title, RunMetrics.read(folder.metrics())).write(folder.curve());
    }

    /** Returns the last validation loss; NaN before the first. */
    double lastValidation() {
        return last;
    }

    /** Returns the least validation loss; NaN before the first. */
    double bestValidation() {
        return best;
    }

    @Override
    public void close() throws IOException {
        metrics.close();
    }
}
