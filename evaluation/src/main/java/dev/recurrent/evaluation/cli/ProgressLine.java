package dev.recurrent.evaluation.cli;

import dev.recurrent.evaluation.report.Numbers;
import dev.recurrent.evaluation.task.Progress;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;

/** Progress on standard error: part done, tokens/s and time left, now and then. */
final class ProgressLine implements Progress {

    private static final double SECONDS_BETWEEN = 2;

    private final PrintWriter err;
    private final String what;
    private final long start = System.nanoTime();
    private double shown;

    ProgressLine(PrintWriter err, String what) {
        this.err = err;
        this.what = what;
    }

    @Override
    public void update(double done, long tokens) {
        double seconds = (System.nanoTime() - start) / 1e9;
        if (seconds - shown < SECONDS_BETWEEN || done <= 0) {
            return;
        }
        shown = seconds;
        String rate =
                tokens == 0
                        ? ""
                        : String.format(
                                Locale.ROOT,
                                "%d tokens, %s tokens/s, ",
                                tokens,
                                Numbers.rate(tokens / seconds));
        err.println(
                String.format(
                        Locale.ROOT,
                        "%s: %.1f %%, %s%s left",
                        what,
                        100 * done,
                        rate,
                        clock(seconds * (1 - done) / done)));
    }

    private static String clock(double seconds) {
        Duration left = Duration.ofSeconds(Math.round(seconds));
        return left.toHours() > 0
                ? String.format(
                        "%d:%02d:%02d", left.toHours(), left.toMinutesPart(), left.toSecondsPart())
                : String.format("%d:%02d", left.toMinutes(), left.toSecondsPart());
    }
}
