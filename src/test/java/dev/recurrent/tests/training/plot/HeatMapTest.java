package dev.recurrent.tests.training.plot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.recurrent.training.plot.HeatMap;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;

class HeatMapTest {

    private static Picture draw(int rows, int columns, double value) {
        List<Double> row = Collections.nCopies(columns, value);
        return Picture.parse(
                new HeatMap(
                                "title",
                                "length",
                                "depth",
                                names("c", columns),
                                names("r", rows),
                                Collections.nCopies(rows, row))
                        .toSvg());
    }

    private static List<String> names(String prefix, int count) {
        return IntStream.range(0, count).mapToObj(i -> prefix + i).toList();
    }

    private static List<Element> cells(Picture picture) {
        return picture.elements("rect").stream()
                .filter(rect -> rect.getAttribute("stroke").equals("#FFFFFF"))
                .toList();
    }

    @Test
    void cellsStandInTheirRowsAndColumns() {
        Picture picture =
                Picture.parse(
                        new HeatMap(
                                        "t",
                                        "x",
                                        "y",
                                        List.of("256", "1K", "4K"),
                                        List.of("0", "100"),
                                        List.of(
                                                List.of(0.0, 0.5, 1.0),
                                                List.of(0.25, Double.NaN, 0.75)))
                                .toSvg());
        assertThat(cells(picture))
                .extracting(cell -> cell.getAttribute("fill"))
                .containsExactly("#440154", "#21918C", "#FDE725", "#3B528B", "#EEEEEE", "#5EC962");
        for (String name : List.of("256", "1K", "4K", "0", "100", "0.50", "–", "x", "y", "t")) {
            assertThat(picture.texts()).contains(name);
        }
        Element last = cells(picture).get(5);
        double middle = Picture.number(last, "x") + Picture.number(last, "width") / 2;
        Element column = text(picture, "4K");
        assertThat(Picture.number(column, "x")).isEqualTo(middle);
        assertThat(Picture.number(column, "y")).isGreaterThan(Picture.number(last, "y"));
        // A row's name stands four pixels below its middle.
        assertThat(Picture.number(text(picture, "100"), "y") - 4)
                .isEqualTo(Picture.number(last, "y") + Picture.number(last, "height") / 2);
    }

    private static Element text(Picture picture, String content) {
        return picture.elements("text").stream()
                .filter(text -> text.getTextContent().equals(content))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void everythingIsInsideThePicture() {
        for (int[] size : new int[][] {{1, 1}, {40, 5}, {100, 60}}) {
            Picture picture = draw(size[0], size[1], 0.5);
            Element svg = picture.elements("svg").get(0);
            double width = Picture.number(svg, "width");
            double height = Picture.number(svg, "height");
            assertThat(cells(picture)).hasSize(size[0] * size[1]);
            for (Element cell : cells(picture)) {
                assertThat(Picture.number(cell, "x") + Picture.number(cell, "width"))
                        .isLessThan(width);
                assertThat(Picture.number(cell, "y") + Picture.number(cell, "height"))
                        .isLessThan(height);
            }
            for (Element text : picture.elements("text")) {
                assertThat(Picture.number(text, "x")).isBetween(0.0, width - 20);
                assertThat(Picture.number(text, "y")).isBetween(0.0, height);
            }
        }
    }

    /** Names of rows are 12 pixels high; those that would overlap are left out. */
    @Test
    void namesOfManyRowsDoNotOverlap() {
        List<Double> lines = new ArrayList<>();
        for (Element text : draw(100, 2, 0.5).elements("text")) {
            if (text.getTextContent().startsWith("r")) {
                lines.add(Picture.number(text, "y"));
            }
        }
        assertThat(lines).hasSizeGreaterThan(20);
        for (int i = 1; i < lines.size(); i++) {
            assertThat(lines.get(i) - lines.get(i - 1)).isGreaterThanOrEqualTo(12);
        }
    }

    @Test
    void refusesAGridWithHoles() {
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                new HeatMap(
                                        "t",
                                        "x",
                                        "y",
                                        List.of("a", "b"),
                                        List.of("c"),
                                        List.of(List.of(1.0))));
    }
}
