package dev.recurrent.training.run;

import dev.recurrent.training.StepReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.function.Consumer;

/** interim */
final class RunReporter {
    private final RunFolder folder;
    private final RunConfig config;
    private final Consumer<String> progress;
    private final StringBuilder lines = new StringBuilder();
    private double last = Double.NaN;
    private double best = Double.NaN;
    private double seconds;
    private long tokens;

    RunReporter(RunFolder folder, RunConfig config, Consumer<String> progress) {
        this.folder = folder;
        this.config = config;
        this.progress = progress;
    }

    void step(StepReport r) {
        seconds += r.seconds();
        tokens += r.tokens();
        lines.append(
                String.format(
                        Locale.ROOT,
                        "{\"step\":%d,\"loss\":%s,\"learning_rate\":%s,\"gradient_norm\":%s,\"tokens\":%d,\"tokens_per_second\":%s,\"seconds\":%s}%n",
                        r.step(),
                        r.loss(),
                        r.learningRate(),
                        r.gradientNorm(),
                        tokens,
                        r.tokens() / r.seconds(),
                        seconds));
        if (r.step() % 50 == 0) {
            progress.accept(
                    String.format(
                            Locale.ROOT,
                            "step %d/%s loss %.4f lr %.2e norm %.3f %.0f tok/s",
                            r.step(),
                            config.text(RunSetting.STEPS),
                            r.loss(),
                            r.learningRate(),
                            r.gradientNorm(),
                            r.tokens() / r.seconds()));
        }
    }

    void validation(long step, Validation v) throws IOException {
        last = v.loss();
        best = best <= last ? best : last;
        lines.append(
                String.format(
                        Locale.ROOT,
                        "{\"step\":%d,\"validation_loss\":%s,\"validation_accuracy\":%s}%n",
                        step,
                        v.loss(),
                        v.accuracy()));
        Files.writeString(
                folder.metrics(), lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        lines.setLength(0);
        progress.accept(
                String.format(
                        Locale.ROOT,
                        "step %d validation loss %.4f accuracy %.4f best %.4f, %.1f s",
                        step,
                        v.loss(),
                        v.accuracy(),
                        best,
                        seconds));
    }

    double lastValidation() {
        return last;
    }

    RunResult result(long steps, boolean finished, Path model) {
        return new RunResult(steps, last, best, finished, finished ? model : null);
    }
}
