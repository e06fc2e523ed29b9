package dev.recurrent.tests.training.plot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.recurrent.training.plot.LinePlot;
import dev.recurrent.training.plot.Mark;
import dev.recurrent.training.plot.Series;
import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Series.Stroke;
import dev.recurrent.training.plot.Unit;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.w3c.dom.Element;

class LogAxisTest {

    private static LinePlot.Builder plot(Unit unit, Point... points) {
        return LinePlot.builder()
                .setTitle("t")
                .setLabels("x", "y")
                .optLogX(unit)
                .addSeries(new Series("line", List.of(points), Series.color(0), Stroke.SOLID));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "LENGTH|256|16384|256;512;1K;2K;4K;8K;16K",
                "LENGTH|300|1000|256;512;1K",
                "LENGTH|64|1048576|64;256;1K;4K;16K;64K;256K;1M",
                "BYTES|512|3000|512 B;1 KiB;2 KiB;4 KiB",
                "BYTES|700000000|3000000000|512 MiB;1 GiB;2 GiB;4 GiB",
                "NUMBER|0.3|3|0.25;0.5;1;2;4",
                "NUMBER|5|1000000|4;32;256;2,048;16,384;131,072;1.0e+06",
                "NUMBER|8|8|4;8;16"
            })
    void ticksArePowersOfTwo(Unit unit, double low, double high, String labels) {
        Picture picture =
                Picture.parse(plot(unit, new Point(low, 0), new Point(high, 1)).build().toSvg());
        assertThat(picture.ticks(true)).containsExactly(labels.split(";"));
    }

    @Test
    void pointsAreWhereTheAxesSayTheyAre() {
        Picture picture =
                Picture.parse(
                        plot(Unit.NUMBER, new Point(4, 0.5), new Point(100, 30), new Point(64, 8))
                                .optLogY(Unit.NUMBER)
                                .build()
                                .toSvg());
        Element path = picture.elements("path").get(0);
        List<double[]> pixels =
                Arrays.stream(path.getAttribute("d").substring(1).split("L"))
                        .map(pair -> pair.split(" "))
                        .map(
                                pair ->
                                        new double[] {
                                            Double.parseDouble(pair[0]), Double.parseDouble(pair[1])
                                        })
                        .toList();
        Element area =
                (Element) picture.elements("clipPath").get(0).getElementsByTagName("rect").item(0);
        double left = Picture.number(area, "x");
        double width = Picture.number(area, "width");
        double bottom = Picture.number(area, "y") + Picture.number(area, "height");
        double height = Picture.number(area, "height");
        // From 2² to 2⁷ across, from 2⁻¹ to 2⁵ up; pixels have two decimals.
        assertThat(pixels.get(0)[0]).isCloseTo(left, within(0.01));
        assertThat(pixels.get(0)[1]).isCloseTo(bottom, within(0.01));
        assertThat(pixels.get(1)[0]).isCloseTo(left + width * (log2(100) - 2) / 5, within(0.01));
        assertThat(pixels.get(1)[1]).isCloseTo(bottom - height * (log2(30) + 1) / 6, within(0.01));
        assertThat(pixels.get(2)[0]).isCloseTo(left + width * 4 / 5, within(0.01));
        assertThat(pixels.get(2)[1]).isCloseTo(bottom - height * 4 / 6, within(0.01));
    }

    private static double log2(double x) {
        return Math.log(x) / Math.log(2);
    }

    @Test
    void whatIsNotAboveZeroIsAGap() {
        Picture picture =
                Picture.parse(
                        plot(
                                        Unit.NUMBER,
                                        new Point(1, 1),
                                        new Point(2, 1),
                                        new Point(0, 1),
                                        new Point(4, 1),
                                        new Point(8, 1),
                                        new Point(-1, 1))
                                .addMark(new Mark(new Point(0, 1), "#000000", true, "no place"))
                                .build()
                                .toSvg());
        assertThat(picture.elements("path")).hasSize(2);
        assertThat(picture.elements("circle")).isEmpty();
        assertThat(picture.texts()).doesNotContain("no place");
        assertThat(picture.ticks(true)).containsExactly("1", "2", "4", "8");
    }

    @Test
    void marksAloneMakeAPlot() {
        LinePlot.Builder plot =
                LinePlot.builder().setTitle("t").setLabels("x", "y").optYReach(0).optYReach(1);
        plot.addMark(new Mark(new Point(10, 0.25), "#000000", true, "a"));
        plot.addMark(new Mark(new Point(30, 0.75), "#000000", true, "b"));
        Picture picture = Picture.parse(plot.build().toSvg());
        assertThat(picture.ticks(false)).startsWith("0.0").endsWith("1.0");
        double[] middle = picture.middle(picture.elements("circle").get(1));
        // Pixels have two decimals: a part in 32,000 of an axis.
        assertThat(middle[0]).isCloseTo(30, within(1e-3));
        assertThat(middle[1]).isCloseTo(0.75, within(1e-4));
    }
}
