package dev.recurrent.training.report;

import dev.recurrent.training.plot.LinePlot;
import dev.recurrent.training.plot.Mark;
import dev.recurrent.training.plot.Series;
import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Series.Stroke;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Training and validation loss against steps, of one run or several, as SVG.
 *
 * <p>One run shows each step's loss faintly, the smoothed loss, and the validation loss with its
 * best and last values. The very first steps may lie above the picture. Several runs have a colour
 * each: the validation loss, and the smoothed training loss in dashes unless they are many.
 */
public final class LossCurve {

    /** The axis heeds what is after this part of the steps: losses start far above their end. */
    private static final long START = 40;

    /** More runs than these are shown by their validation losses alone. */
    private static final int MANY = 4;

    private final String title;
    private final Map<String, RunMetrics> runs = new LinkedHashMap<>();

    /**
     * Constructs a curve without runs.
     *
     * @param title over the picture
     */
    public LossCurve(String title) {
        this.title = title;
    }

    /**
     * Adds a run.
     *
     * @param name in the legend, if there are several
     * @param metrics its figures
     * @return this
     * @throws IllegalArgumentException if there is a run of that name
     */
    public LossCurve add(String name, RunMetrics metrics) {
        if (runs.putIfAbsent(name, metrics) != null) {
            throw new IllegalArgumentException("There are two runs named '" + name + "'");
        }
        return this;
    }

    /**
     * Writes the picture to a file or replaces it in one step.
     *
     * @param file where; its folder must be there
     * @throws IOException if it cannot be written; the old file is untouched then
     */
    public void write(Path file) throws IOException {
        plot().write(file);
    }

    /** Returns the picture as an SVG document. */
    public String toSvg() {
        return plot().toSvg();
    }

    private LinePlot plot() {
        LinePlot.Builder plot =
                LinePlot.builder()
                        .setTitle(title)
                        .setLabels("step", "loss (nats a token)")
                        .optWholeX()
                        .optYFrom((double) lastStep() / START);
        if (runs.size() == 1) {
            addRun(plot, runs.values().iterator().next());
        } else {
            addRuns(plot);
        }
        return plot.build();
    }

    private long lastStep() {
        return runs.values().stream()
                .flatMap(run -> run.training().stream())
                .mapToLong(RunMetrics.Training::step)
                .max()
                .orElse(0);
    }

    private static void addRun(LinePlot.Builder plot, RunMetrics run) {
        String training = Series.color(0);
        String validation = Series.color(1);
        List<Point> steps = training(run);
        plot.addSeries(new Series("training, each step", steps, training, Stroke.FAINT));
        plot.addSeries(
                new Series("training, smoothed", Smoothing.of(steps), training, Stroke.SOLID));
        if (!run.validation().isEmpty()) {
            plot.addSeries(new Series("validation", validation(run), validation, Stroke.SOLID));
            addMarks(plot, run, validation, true);
        }
    }

    private void addRuns(LinePlot.Builder plot) {
        int index = 0;
        for (Map.Entry<String, RunMetrics> entry : runs.entrySet()) {
            RunMetrics run = entry.getValue();
            String color = Series.color(index++);
            if (runs.size() <= MANY || run.validation().isEmpty()) {
                plot.addSeries(new Series(null, Smoothing.of(training(run)), color, Stroke.DASHED));
            }
            plot.addSeries(
                    new Series(
                            entry.getKey() + summary(run), validation(run), color, Stroke.SOLID));
            addMarks(plot, run, color, false);
        }
        if (index > 0 && index <= MANY) {
            plot.addSeries(new Series("training, smoothed", List.of(), "#555555", Stroke.DASHED));
        }
    }

    private static void addMarks(
            LinePlot.Builder plot, RunMetrics run, String color, boolean labelled) {
        Optional<Point> best = best(run);
        Optional<Point> last = last(run);
        boolean same = best.equals(last);
        if (last.isPresent() && !same) {
            plot.addMark(mark(last.get(), color, false, labelled ? "last" : null));
        }
        String name = same ? "best and last" : "best";
        best.ifPresent(point -> plot.addMark(mark(point, color, true, labelled ? name : null)));
    }

    private static Mark mark(Point point, String color, boolean filled, String name) {
        return new Mark(point, color, filled, name == null ? null : name + " " + value(point));
    }

    private static String summary(RunMetrics run) {
        return best(run).map(best -> ", best " + value(best)).orElse("");
    }

    private static String value(Point point) {
        return String.format(Locale.ROOT, "%.4f", point.y());
    }

    /** The first of the least values. */
    private static Optional<Point> best(RunMetrics run) {
        return validation(run).stream()
                .filter(Point::isFinite)
                .min((a, b) -> Double.compare(a.y(), b.y()));
    }

    private static Optional<Point> last(RunMetrics run) {
        return validation(run).stream().filter(Point::isFinite).reduce((a, b) -> b);
    }

    private static List<Point> training(RunMetrics run) {
        return run.training().stream().map(step -> new Point(step.step(), step.loss())).toList();
    }

    private static List<Point> validation(RunMetrics run) {
        return run.validation().stream().map(v -> new Point(v.step(), v.loss())).toList();
    }
}
