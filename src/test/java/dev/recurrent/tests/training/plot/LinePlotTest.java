package dev.recurrent.tests.training.plot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.within;

import dev.recurrent.training.plot.LinePlot;
import dev.recurrent.training.plot.Mark;
import dev.recurrent.training.plot.Series;
import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Series.Stroke;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.w3c.dom.Element;

class LinePlotTest {

    private static LinePlot.Builder plot(Point... points) {
        return plot(List.of(points));
    }

    private static LinePlot.Builder plot(List<Point> points) {
        return LinePlot.builder()
                .setTitle("title")
                .setLabels("position", "perplexity")
                .addSeries(new Series("line", points, Series.color(0), Stroke.SOLID));
    }

    private static Picture draw(LinePlot.Builder plot) {
        return Picture.parse(plot.build().toSvg());
    }

    /** Pixels have two decimals: a part in 32,000 of an axis. */
    private static void assertAt(
            double[] actual, double x, double y, double rangeX, double rangeY) {
        assertThat(actual[0]).isCloseTo(x, within(rangeX / 3e4));
        assertThat(actual[1]).isCloseTo(y, within(rangeY / 3e4));
    }

    @Test
    void pointsAreWhereTheAxesSayTheyAre() {
        Picture picture = draw(plot(new Point(0, 1.5), new Point(30, 7.25), new Point(100, 2)));
        assertThat(picture.elements("path")).hasSize(1);
        List<double[]> points = picture.points(picture.elements("path").get(0));
        assertThat(points).hasSize(3);
        assertAt(points.get(0), 0, 1.5, 100, 7);
        assertAt(points.get(1), 30, 7.25, 100, 7);
        assertAt(points.get(2), 100, 2, 100, 7);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0|100|0 20 40 60 80 100",
                "1|5000|0 1,000 2,000 3,000 4,000 5,000",
                "0|300000|0 50K 100K 150K 200K 250K 300K",
                "0|2000000|0 0.5M 1.0M 1.5M 2.0M",
                "-1|1|-1.0 -0.5 0.0 0.5 1.0",
                "0.001|0.002|0.0010 0.0012 0.0014 0.0016 0.0018 0.0020",
                "1000|1010|1,000 1,002 1,004 1,006 1,008 1,010",
                "0|3|0.0 0.5 1.0 1.5 2.0 2.5 3.0",
                "0|1e-9|0.0e+00 2.0e-10 4.0e-10 6.0e-10 8.0e-10 1.0e-09"
            })
    void ticksAreRound(double low, double high, String labels) {
        Picture picture = draw(plot(new Point(low, 0), new Point(high, 1)));
        assertThat(picture.ticks(true)).containsExactly(labels.split(" "));
    }

    @Test
    void ticksOfWholeNumbersAreWhole() {
        Picture picture = draw(plot(new Point(1, 0), new Point(3, 1)).optWholeX());
        assertThat(picture.ticks(true)).containsExactly("0", "1", "2", "3");
    }

    @Test
    void theAxisUpGoesFromTickToTick() {
        Picture picture = draw(plot(new Point(0, 1.31), new Point(1, 1.93)));
        assertThat(picture.ticks(false)).startsWith("1.3").endsWith("2.0");
    }

    @Test
    void aValueThatIsNotFiniteIsAGap() {
        Picture picture =
                draw(
                        plot(
                                new Point(0, 1),
                                new Point(1, 2),
                                new Point(2, Double.NaN),
                                new Point(3, 3),
                                new Point(4, Double.POSITIVE_INFINITY),
                                new Point(5, 4),
                                new Point(6, 5)));
        List<Element> paths = picture.elements("path");
        assertThat(paths).hasSize(2);
        assertThat(picture.points(paths.get(0))).hasSize(2);
        assertAt(picture.points(paths.get(1)).get(0), 5, 4, 6, 4);
        // A point between gaps is a dot: a line of one point would not show.
        assertThat(picture.elements("circle")).hasSize(1);
        assertAt(picture.middle(picture.elements("circle").get(0)), 3, 3, 6, 4);
    }

    @ParameterizedTest
    @CsvSource({"1, 5.5", "0, 0", "-3, -1e-8", "1e9, 1e12"})
    void onePointIsADotInTheMiddle(double x, double y) {
        Picture picture = draw(plot(new Point(x, y)));
        assertThat(picture.elements("path")).isEmpty();
        Element dot = picture.elements("circle").get(0);
        Element area =
                (Element) picture.elements("clipPath").get(0).getElementsByTagName("rect").item(0);
        double across = Picture.number(dot, "cx") - Picture.number(area, "x");
        double down = Picture.number(dot, "cy") - Picture.number(area, "y");
        assertThat(across).isBetween(0.0, Picture.number(area, "width"));
        assertThat(down).isBetween(0.0, Picture.number(area, "height"));
    }

    @Test
    void noPointIsAnEmptyPlot() {
        Picture picture = draw(plot());
        assertThat(picture.elements("path")).isEmpty();
        assertThat(picture.ticks(false)).startsWith("0.0").endsWith("1.0");
        assertThat(draw(plot(new Point(Double.NaN, 1))).elements("circle")).isEmpty();
    }

    /** What a picture cannot show it does not hold; peaks it shows. */
    @Test
    void manyPointsAreThinnedWithoutLosingAPeak() {
        List<Point> points = new ArrayList<>();
        for (int i = 0; i < 90_000; i++) {
            points.add(new Point(i, i == 77_777 ? 10 : i % 2));
        }
        String svg = plot(points).build().toSvg();
        assertThat(svg.length()).isLessThan(60_000);
        Picture picture = Picture.parse(svg);
        List<double[]> drawn = picture.points(picture.elements("path").get(0));
        assertThat(drawn.stream().mapToDouble(p -> p[1]).max()).hasValueCloseTo(10.0, within(1e-3));
        double[] peak = drawn.stream().filter(p -> p[1] > 5).findFirst().orElseThrow();
        assertAt(peak, 77_777, 10, 90_000, 10);
    }

    @Test
    void faintLinesAndWhatIsBeforeTheFirstXThatCountsDoNotWidenTheAxis() {
        LinePlot.Builder plot =
                plot(new Point(0, 90), new Point(10, 2), new Point(100, 1))
                        .optYFrom(10)
                        .addSeries(
                                new Series(
                                        null,
                                        List.of(new Point(0, 0), new Point(50, 70)),
                                        Series.color(1),
                                        Stroke.FAINT));
        assertThat(draw(plot).ticks(false)).startsWith("1.0").endsWith("2.0");
        plot.addMark(new Mark(new Point(5, 7), Series.color(0), true, null));
        assertThat(draw(plot).ticks(false)).startsWith("1").endsWith("7");
    }

    @Test
    void labelsOfMarksDoNotCoverEachOther() {
        LinePlot.Builder plot = plot(new Point(0, 0), new Point(100, 10));
        for (int i = 0; i < 4; i++) {
            plot.addMark(new Mark(new Point(50 + i, 5), Series.color(0), i == 0, "mark " + i));
        }
        List<Element> labels =
                draw(plot).elements("text").stream()
                        .filter(text -> text.getTextContent().startsWith("mark "))
                        .toList();
        assertThat(labels).hasSize(4);
        for (Element one : labels) {
            for (Element other : labels) {
                // "mark 0" at 12 pixels is 37 pixels wide in Helvetica, and lower than 12.
                assertThat(
                                one == other
                                        || distance(one, other, "x") >= 37
                                        || distance(one, other, "y") >= 12)
                        .isTrue();
            }
        }
    }

    private static double distance(Element one, Element other, String attribute) {
        return Math.abs(Picture.number(one, attribute) - Picture.number(other, attribute));
    }

    @Test
    void aMarkThatIsNotFiniteIsNotDrawn() {
        LinePlot.Builder plot =
                plot(new Point(0, 0), new Point(1, 1))
                        .addMark(new Mark(new Point(1, Double.NaN), Series.color(0), true, "x"));
        assertThat(draw(plot).elements("circle")).isEmpty();
    }

    @Test
    void textsAreEscapedAndWhatXmlForbidsIsReplaced() {
        String name = "a<b> & \"c\" \u0001 \ud800";
        Picture picture =
                draw(
                        LinePlot.builder()
                                .setTitle(name)
                                .setLabels("x<", "y>")
                                .addSeries(
                                        new Series(
                                                name, List.of(), Series.color(0), Stroke.SOLID)));
        assertThat(picture.texts()).contains("a<b> & \"c\" \ufffd \ufffd", "x<", "y>");
    }

    @Test
    void theLegendHasRowsAsNeededAboveThePlot() {
        LinePlot.Builder plot = plot();
        for (int i = 0; i < 30; i++) {
            plot.addSeries(new Series("name " + i, List.of(), Series.color(i), Stroke.SOLID));
        }
        Picture picture = draw(plot);
        Element area =
                (Element) picture.elements("clipPath").get(0).getElementsByTagName("rect").item(0);
        double top = Picture.number(area, "y");
        List<Element> names =
                picture.elements("text").stream()
                        .filter(text -> text.getTextContent().startsWith("name "))
                        .toList();
        assertThat(names).hasSize(30);
        assertThat(names).allMatch(text -> Picture.number(text, "y") < top);
        assertThat(names).allMatch(text -> Picture.number(text, "x") < 700);
        assertThat(Picture.number(area, "height")).isGreaterThan(300);
    }

    @Test
    void theSamePlotIsTheSameText() {
        LinePlot.Builder plot = plot(new Point(0, 1), new Point(7, 1.0 / 3));
        assertThat(plot.build().toSvg()).isEqualTo(plot.build().toSvg());
    }

    @Test
    void needsATitleAndLabels() {
        assertThatNullPointerException()
                .isThrownBy(() -> LinePlot.builder().build())
                .withMessageContaining("title");
        assertThatNullPointerException()
                .isThrownBy(() -> LinePlot.builder().setTitle("t").build())
                .withMessageContaining("labels");
    }
}
