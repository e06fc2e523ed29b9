package dev.recurrent.evaluation.report;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A table in Markdown, its columns as wide on a terminal as they need to be. */
public final class Table {

    /** Where a column's cells stand. */
    public enum Align {
        LEFT,
        RIGHT
    }

    private record Column(String title, Align align) {}

    private final List<Column> columns = new ArrayList<>();
    private final List<List<String>> rows = new ArrayList<>();

    /** Adds a column. */
    public Table column(String title, Align align) {
        columns.add(new Column(title, align));
        return this;
    }

    /**
     * Adds a row.
     *
     * @param cells one a column
     * @throws IllegalArgumentException if there are more or fewer
     */
    public Table row(String... cells) {
        if (cells.length != columns.size()) {
            throw new IllegalArgumentException(
                    cells.length + " cells for " + columns.size() + " columns");
        }
        rows.add(Stream.of(cells).map(Table::escape).toList());
        return this;
    }

    /** Returns the table, with a line break after each line. */
    @Override
    public String toString() {
        int[] widths = IntStream.range(0, columns.size()).map(this::width).toArray();
        StringBuilder text = new StringBuilder();
        text.append(line(columns.stream().map(Column::title).toList(), widths));
        text.append(rule(widths));
        rows.forEach(row -> text.append(line(row, widths)));
        return text.toString();
    }

    private int width(int column) {
        int width = length(columns.get(column).title());
        for (List<String> row : rows) {
            width = Math.max(width, length(row.get(column)));
        }
        return width;
    }

    private String line(List<String> cells, int[] widths) {
        return IntStream.range(0, widths.length)
                .mapToObj(i -> pad(cells.get(i), widths[i], columns.get(i).align()))
                .collect(Collectors.joining(" | ", "| ", " |\n"));
    }

    private String rule(int[] widths) {
        return IntStream.range(0, widths.length)
                .mapToObj(
                        i ->
                                columns.get(i).align() == Align.LEFT
                                        ? "-".repeat(widths[i] + 2)
                                        : "-".repeat(widths[i] + 1) + ":")
                .collect(Collectors.joining("|", "|", "|\n"));
    }

    private static String pad(String cell, int width, Align align) {
        String space = " ".repeat(width - length(cell));
        return align == Align.LEFT ? cell + space : space + cell;
    }

    private static int length(String cell) {
        return Columns.of(cell);
    }

    /** A bar would end the cell, and a line break the row. */
    private static String escape(String cell) {
        return cell.replaceAll("\\R", " ").replace("|", "\\|");
    }
}
