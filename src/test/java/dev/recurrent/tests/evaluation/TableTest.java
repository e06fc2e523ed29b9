package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.recurrent.evaluation.report.Numbers;
import dev.recurrent.evaluation.report.Table;
import org.junit.jupiter.api.Test;

class TableTest {

    @Test
    void columnsAreAsWideAsTheyNeedToBe() {
        Table table =
                new Table()
                        .column("Metric", Table.Align.LEFT)
                        .column("↑/↓", Table.Align.LEFT)
                        .column("Value", Table.Align.RIGHT)
                        .row("bits_per_byte", "↓", "1.5000")
                        .row("acc", "↑", "0.2500");
        assertThat(table)
                .hasToString(
                        """
                        | Metric        | ↑/↓ |  Value |
                        |---------------|-----|-------:|
                        | bits_per_byte | ↓   | 1.5000 |
                        | acc           | ↑   | 0.2500 |
                        """);
        assertThatThrownBy(() -> table.row("one")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void numbersAreReadable() {
        assertThat(Numbers.decimal(1.23456)).isEqualTo("1.2346");
        assertThat(Numbers.decimal(Double.NaN)).isEqualTo("N/A");
        assertThat(Numbers.bytes(1023)).isEqualTo("1023 B");
        assertThat(Numbers.bytes(1536)).isEqualTo("1.5 KiB");
        assertThat(Numbers.count(374_000_000)).isEqualTo("374M");
        assertThat(Numbers.count(1_366_000_000)).isEqualTo("1.37B");
        assertThat(Numbers.duration(0.0215)).isEqualTo("21.5 ms");
    }
}
