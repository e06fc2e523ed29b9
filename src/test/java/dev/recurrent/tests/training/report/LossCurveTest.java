package dev.recurrent.tests.training.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.recurrent.tests.training.plot.Picture;
import dev.recurrent.training.plot.Series;
import dev.recurrent.training.report.LossCurve;
import dev.recurrent.training.report.RunMetrics;
import dev.recurrent.training.report.RunMetrics.Training;
import dev.recurrent.training.report.RunMetrics.Validation;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.LongToDoubleFunction;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;

class LossCurveTest {

    private static final Validation[] VALIDATIONS = {
        new Validation(100, 3, 0.5), new Validation(200, 2.125, 0.5), new Validation(300, 2.5, 0.5)
    };

    private static RunMetrics run(
            long steps, LongToDoubleFunction loss, Validation... validations) {
        List<Training> training =
                LongStream.rangeClosed(1, steps)
                        .mapToObj(i -> new Training(i, loss.applyAsDouble(i), 1, 1, i, 1, i))
                        .toList();
        return new RunMetrics(training, List.of(validations));
    }

    private static Picture draw(LossCurve curve) {
        return Picture.parse(curve.toSvg());
    }

    private static List<Element> marks(Picture picture) {
        return picture.elements("circle").stream()
                .filter(circle -> circle.getAttribute("r").equals("4"))
                .toList();
    }

    @Test
    void marksTheBestAndTheLastValidation() {
        Picture picture =
                draw(new LossCurve("t").add("run", run(300, i -> 2 + 1.0 / i, VALIDATIONS)));
        assertThat(picture.texts())
                .contains(
                        "t",
                        "step",
                        "loss (nats a token)",
                        "training, each step",
                        "training, smoothed",
                        "validation",
                        "best 2.1250",
                        "last 2.5000");
        List<Element> marks = marks(picture);
        assertThat(marks).hasSize(2);
        double[] last = picture.middle(marks.get(0));
        double[] best = picture.middle(marks.get(1));
        // Pixels have two decimals.
        assertThat(last[0]).isCloseTo(300, within(0.02));
        assertThat(last[1]).isCloseTo(2.5, within(1e-3));
        assertThat(best[0]).isCloseTo(200, within(0.02));
        assertThat(best[1]).isCloseTo(2.125, within(1e-3));
    }

    @Test
    void aBestThatIsTheLastIsMarkedOnce() {
        Picture picture =
                draw(new LossCurve("t").add("run", run(100, i -> 3, new Validation(100, 3, 0.5))));
        assertThat(marks(picture)).hasSize(1);
        assertThat(picture.texts()).contains("best and last 3.0000");
    }

    @Test
    void aRunThatDivergedKeepsItsMarks() {
        Picture picture =
                draw(
                        new LossCurve("t")
                                .add(
                                        "run",
                                        run(
                                                300,
                                                i -> i > 250 ? Double.NaN : 2,
                                                new Validation(100, 2, 0.5),
                                                new Validation(200, 3, 0.5),
                                                new Validation(300, Double.NaN, 0.5))));
        assertThat(picture.texts()).contains("best 2.0000", "last 3.0000");
    }

    @Test
    void theSmoothedCurveIsAMeanThatDoesNotLag() {
        // On a straight line the mean of as many before as after is the line itself.
        Picture picture =
                draw(new LossCurve("t").add("run", run(600, i -> i / 100.0 + (i % 2 * 0.2 - 0.1))));
        List<Element> paths = picture.elements("path");
        assertThat(paths).hasSize(2);
        List<double[]> raw = picture.points(paths.get(0));
        List<double[]> smooth = picture.points(paths.get(1));
        assertThat(raw).anyMatch(p -> Math.abs(p[1] - p[0] / 100) > 0.09);
        for (double[] point : smooth) {
            if (point[0] > 60 && point[0] < 590) {
                // Of 21 values one is left over: 0.1 / 21, and the pixels' rounding.
                assertThat(point[1]).isCloseTo(point[0] / 100, within(0.006));
            }
        }
    }

    @Test
    void theFirstStepsMayLieAboveThePicture() {
        Picture picture =
                draw(new LossCurve("t").add("run", run(400, i -> i < 5 ? 50 : 1 + 1.0 / i)));
        List<String> ticks = picture.ticks(false);
        assertThat(Double.parseDouble(ticks.get(ticks.size() - 1))).isLessThan(1.5);
    }

    @Test
    void severalRunsHaveAColourEach() {
        Picture picture =
                draw(
                        new LossCurve("t")
                                .add("delta-net", run(300, i -> 2, VALIDATIONS))
                                .add("griffin", run(300, i -> 2.5)));
        assertThat(picture.texts()).contains("delta-net, best 2.1250", "griffin");
        assertThat(picture.elements("path").stream().map(path -> path.getAttribute("stroke")))
                .containsExactly(Series.color(0), Series.color(0), Series.color(1));
        assertThat(marks(picture)).hasSize(2);
    }

    @Test
    void manyRunsAreShownByTheirValidationLosses() {
        LossCurve curve = new LossCurve("t").add("no validation", run(300, i -> 2.5));
        for (int i = 0; i < 5; i++) {
            curve.add("run " + i, run(300, step -> 2, VALIDATIONS));
        }
        Picture picture = draw(curve);
        assertThat(picture.elements("path")).hasSize(6);
        assertThat(picture.texts())
                .contains("run 4, best 2.1250")
                .doesNotContain("training, smoothed");
    }

    @Test
    void oneStepAndNoStepAreDrawn() {
        Picture one = draw(new LossCurve("t").add("run", run(1, i -> 5.5)));
        assertThat(one.elements("circle")).hasSize(2);
        double[] dot = one.middle(one.elements("circle").get(0));
        assertThat(dot[0]).isCloseTo(1, within(1e-3));
        assertThat(dot[1]).isCloseTo(5.5, within(1e-3));
        assertThat(draw(new LossCurve("t").add("run", run(0, i -> 1))).elements("circle"))
                .isEmpty();
        assertThat(draw(new LossCurve("t")).elements("circle")).isEmpty();
    }

    @Test
    void refusesTwoRunsOfOneName() {
        LossCurve curve = new LossCurve("t").add("run", run(1, i -> 1));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> curve.add("run", run(2, i -> 1)))
                .withMessageContaining("'run'");
    }

    @Test
    void writesTheFileWholeOrNotAtAll(@TempDir Path folder) throws Exception {
        LossCurve curve = new LossCurve("t").add("run", run(20, i -> 1, VALIDATIONS));
        Path file = folder.resolve("loss.svg");
        Files.writeString(file, "old");
        curve.write(file);
        assertThat(file).hasContent(curve.toSvg());
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactly(file);
        }
        assertThatThrownBy(() -> curve.write(folder.resolve("missing/loss.svg")))
                .isInstanceOf(NoSuchFileException.class);
    }
}
