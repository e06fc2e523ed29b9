package dev.recurrent.training.plot;

import java.util.List;
import java.util.Locale;

/**
 * Numbers in [0, 1] over a grid: a coloured cell each, with its number where there is room, and a
 * bar of the colours.
 *
 * @param title over the picture
 * @param xLabel what columns are
 * @param yLabel what rows are
 * @param columns their names, from left to right
 * @param rows their names, from the top down
 * @param values by row, then column; NaN where there is none
 */
public record HeatMap(
        String title,
        String xLabel,
        String yLabel,
        List<String> columns,
        List<String> rows,
        List<List<Double>> values)
        implements Plot {

    private static final double TOP = Frame.TITLE + 16;
    private static final double BELOW = 58;
    private static final double BAR = 16;
    private static final double BAR_SPACE = 78;
    private static final double WIDEST = 96;
    private static final double HIGHEST = 28;

    /** The cells' height together, where they are many. */
    private static final double HEIGHT = 560;

    /** And where they are few: the bar and the axis' name need as much. */
    private static final double LOWEST = 160;

    /** A number in a cell is so wide, and rows of text so far apart. */
    private static final double NUMBER = 30;

    private static final double LINE = 13;
    private static final int SHADES = 64;
    private static final String GRID = "#333333";
    private static final String NONE = "#EEEEEE";

    /**
     * Copies the lists.
     *
     * @throws IllegalArgumentException if there are no cells, or more or fewer values than cells
     */
    public HeatMap {
        columns = List.copyOf(columns);
        rows = List.copyOf(rows);
        values = values.stream().map(List::copyOf).toList();
        int width = columns.size();
        if (width == 0
                || rows.isEmpty()
                || values.size() != rows.size()
                || values.stream().anyMatch(row -> row.size() != width)) {
            throw new IllegalArgumentException("A heat map needs one value a cell");
        }
    }

    @Override
    public String toSvg() {
        double cellWidth =
                Math.min(WIDEST, (Frame.RIGHT - Frame.LEFT - BAR_SPACE) / columns.size());
        double cellHeight = Math.max(LOWEST, Math.min(HIGHEST * rows.size(), HEIGHT)) / rows.size();
        double right = Frame.LEFT + cellWidth * columns.size();
        double bottom = TOP + cellHeight * rows.size();
        Svg svg = Frame.open(title, bottom + BELOW);
        drawCells(svg, cellWidth, cellHeight);
        drawNames(svg, cellWidth, cellHeight, bottom);
        PlotArea.nameAxes(svg, xLabel, yLabel, Frame.LEFT, TOP, right, bottom);
        drawBar(svg, right + 22, bottom);
        return svg.close("svg").toString();
    }

    private void drawCells(Svg svg, double width, double height) {
        boolean numbers = width >= NUMBER && height >= LINE;
        svg.open("g", "font-size", 11.0, "text-anchor", "middle", "stroke-width", 0.5);
        for (int row = 0; row < rows.size(); row++) {
            for (int column = 0; column < columns.size(); column++) {
                double value = values.get(row).get(column);
                double x = Frame.LEFT + column * width;
                double y = TOP + row * height;
                String color = Double.isNaN(value) ? NONE : Shade.of(value);
                rectangle(svg, x, y, width, height, color, "#FFFFFF");
                if (numbers) {
                    svg.text(
                            "text",
                            Double.isNaN(value) ? "–" : String.format(Locale.ROOT, "%.2f", value),
                            "x",
                            x + width / 2,
                            "y",
                            y + height / 2 + 4,
                            "fill",
                            Double.isNaN(value) ? Frame.INK : Shade.ink(value));
                }
            }
        }
        svg.close("g");
    }

    private void drawNames(Svg svg, double width, double height, double bottom) {
        svg.open("g", "fill", GRID, "font-size", 12.0, "text-anchor", "end");
        int every = (int) Math.ceil(LINE / height);
        for (int row = 0; row < rows.size(); row += every) {
            double y = TOP + (row + 0.5) * height + 4;
            svg.text("text", rows.get(row), "x", Frame.LEFT - 6, "y", y);
        }
        svg.close("g");
        svg.open("g", "fill", GRID, "font-size", 12.0, "text-anchor", "middle");
        every = (int) Math.ceil(36 / width);
        for (int column = 0; column < columns.size(); column += every) {
            double x = Frame.LEFT + (column + 0.5) * width;
            svg.text("text", columns.get(column), "x", x, "y", bottom + 17);
        }
        svg.close("g");
    }

    private void drawBar(Svg svg, double x, double bottom) {
        double height = bottom - TOP;
        double step = height / SHADES;
        for (int i = 0; i < SHADES; i++) {
            String color = Shade.of((i + 0.5) / SHADES);
            // Edges meet; without a rim of their own colour the ground would show between them.
            rectangle(svg, x, bottom - (i + 1) * step, BAR, step, color, color);
        }
        svg.open("g", "fill", GRID, "font-size", 12.0);
        for (int i = 0; i <= 4; i++) {
            String label = String.format(Locale.ROOT, "%.2f", i / 4.0);
            svg.text("text", label, "x", x + BAR + 6, "y", bottom - i / 4.0 * height + 4);
        }
        svg.close("g");
    }

    private static void rectangle(
            Svg svg, double x, double y, double width, double height, String fill, String stroke) {
        svg.element(
                "rect", "x", x, "y", y, "width", width, "height", height, "fill", fill, "stroke",
                stroke);
    }
}
