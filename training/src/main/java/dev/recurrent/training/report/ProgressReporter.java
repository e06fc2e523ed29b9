package dev.recurrent.training.report;

import java.time.Duration;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Tells now and then how training goes, in one line: at the first step, then every two seconds, and
 * at the last step.
 *
 * <pre>
 * step 120/5000: loss 2.3456, lr 3.00e-04, gradient norm 0.812, 12345 tokens/s, 1:02:03 left
 * </pre>
 *
 * Loss, rate and norm are the step's own; tokens/s are those of all steps since the line before;
 * the time left follows from all the time that has passed, so validation and saving are in it.
 */
public final class ProgressReporter {

    private static final Duration BETWEEN_LINES = Duration.ofSeconds(2);

    private final Consumer<String> out;
    private final LongSupplier clock;
    private final long start;
    private long firstStep;
    private long shown;
    private long tokens;
    private double seconds;

    /**
     * Constructs a reporter as training starts.
     *
     * @param out takes each line, which has no line break
     */
    public ProgressReporter(Consumer<String> out) {
        this(out, System::nanoTime);
    }

    /**
     * Constructs a reporter with a clock of its own.
     *
     * @param out takes each line, which has no line break
     * @param clock nanoseconds since any moment
     */
    public ProgressReporter(Consumer<String> out, LongSupplier clock) {
        this.out = out;
        this.clock = clock;
        start = clock.getAsLong();
    }

    /**
     * Takes the next step, and writes a line if it is time for one.
     *
     * @param step every step, not only those to be shown
     */
    public void update(Step step) {
        boolean first = firstStep == 0;
        firstStep = first ? step.step() : firstStep;
        tokens += step.tokens();
        seconds += step.seconds();
        long now = clock.getAsLong();
        boolean last = step.step() == step.totalSteps();
        if (first || last || now - shown >= BETWEEN_LINES.toNanos()) {
            out.accept(line(step, (now - start) / 1e9));
            shown = now;
            tokens = 0;
            seconds = 0;
        }
    }

    private String line(Step step, double passed) {
        return String.format(
                Locale.ROOT,
                "step %d/%d: loss %s, lr %.2e, gradient norm %s, %s tokens/s, %s",
                step.step(),
                step.totalSteps(),
                decimal(step.loss(), 4),
                step.learningRate(),
                decimal(step.gradientNorm(), 3),
                rate(tokens / seconds),
                time(step, passed));
    }

    private String time(Step step, double passed) {
        long left = step.totalSteps() - step.step();
        if (left == 0) {
            return "done in " + clock(passed);
        }
        long done = step.step() - firstStep + 1;
        return clock(passed / done * left) + " left";
    }

    /** A number of the given decimals, or with an exponent where it is large. */
    private static String decimal(double value, int decimals) {
        return Math.abs(value) < 1e5
                ? String.format(Locale.ROOT, "%." + decimals + "f", value)
                : String.format(Locale.ROOT, "%.2e", value);
    }

    private static String rate(double perSecond) {
        if (!Double.isFinite(perSecond)) {
            return "–";
        }
        return String.format(Locale.ROOT, perSecond < 100 ? "%.1f" : "%.0f", perSecond);
    }

    private static String clock(double seconds) {
        Duration time = Duration.ofSeconds(Math.round(seconds));
        return time.toHours() > 0
                ? String.format(
                        Locale.ROOT,
                        "%d:%02d:%02d",
                        time.toHours(),
                        time.toMinutesPart(),
                        time.toSecondsPart())
                : String.format(Locale.ROOT, "%d:%02d", time.toMinutesPart(), time.toSecondsPart());
    }
}
