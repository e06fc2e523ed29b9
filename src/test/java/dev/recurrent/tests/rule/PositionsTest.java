package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.rule.Positions;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PositionsTest {

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    private Positions of(long[]... rows) {
        long[] values = Arrays.stream(rows).flatMapToLong(Arrays::stream).toArray();
        return Positions.of(manager, rows.length, rows[0].length, values);
    }

    /** Rows are separated by semicolons, tokens by spaces. */
    @ParameterizedTest
    @CsvSource({
        // positions, padded, compact, starts fresh, has resets, last
        "0 1 2; 0 1 2,       false, true,  true,  false, 2",
        "5 6 7; 5 6 7,       false, true,  false, false, 7",
        "0 1 2; 5 6 7,       false, true,  false, true,  7",
        "5 6 0; 8 9 10,      false, true,  false, true,  10",
        "0 0 0,              false, true,  true,  true,  0",
        "0 1 -1,             true,  true,  true,  false, 1",
        "-1 0 1,             true,  false, true,  false, 1",
        "4 -1 5,             true,  false, false, false, 5",
        "-1 -1 -1; 0 1 2,    true,  true,  false, true,  2",
        "-1 -1 -1,           true,  true,  false, false, 0"
    })
    void tellsWhatRulesAskFor(
            String rows,
            boolean padded,
            boolean compact,
            boolean fresh,
            boolean resets,
            long last) {
        long[][] values =
                Arrays.stream(rows.split("; "))
                        .map(row -> Arrays.stream(row.split(" ")).mapToLong(Long::parseLong))
                        .map(row -> row.toArray())
                        .toArray(long[][]::new);
        Positions positions = of(values);
        assertThat(positions.isPadded()).isEqualTo(padded);
        assertThat(positions.isCompact()).isEqualTo(compact);
        assertThat(positions.startsFresh()).isEqualTo(fresh);
        assertThat(positions.hasResets()).isEqualTo(resets);
        assertThat(positions.isPlain()).isEqualTo(!padded && !resets);
        assertThat(positions.last()).isEqualTo(last);
    }

    @Test
    void aRangeIsTheSameAsItsValues() {
        for (long start : new long[] {0, 7}) {
            Positions range = Positions.range(manager, 2, 3, start);
            Positions given = Positions.of(range.array().duplicate());
            assertThat(given.array()).isEqualTo(range.array());
            assertThat(range.array().toLongArray())
                    .containsExactly(start, start + 1, start + 2, start, start + 1, start + 2);
            assertThat(given.startsFresh()).isEqualTo(range.startsFresh());
            assertThat(given.isPlain()).isEqualTo(range.isPlain());
            assertThat(given.last()).isEqualTo(range.last());
            assertThat(given.realLengths()).isEqualTo(range.realLengths());
        }
    }

    @Test
    void tokensThatContinueAreKnownOnTheDeviceAlone() {
        NDArray where = manager.create(new long[] {4, 9}, new Shape(2, 1));
        Positions positions = Positions.continued(where, 99);
        assertThat(positions.batch()).isEqualTo(2);
        assertThat(positions.length()).isEqualTo(1);
        assertThat(positions.last()).isEqualTo(99);
        assertThat(positions.isPlain()).isTrue();
        assertThat(positions.isCompact()).isTrue();
        assertThat(positions.startsFresh()).isFalse();
        assertThat(positions.array()).isSameAs(where);
        assertThatThrownBy(() -> Positions.continued(where.reshape(1, 2), 99))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("must be int64 [B, 1], not int64(1, 2)");
        assertThatThrownBy(() -> Positions.continued(manager.create(4L), 99))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("must be int64 [B, 1]");
    }

    @Test
    void derivesTensorsOnce() {
        Positions positions = of(new long[] {3, 0, 1, -1}, new long[] {0, 0, -1, -1});
        assertThat(positions.realLengths().toLongArray()).containsExactly(3, 2);
        assertThat(positions.real().toFloatArray()).containsExactly(1, 1, 1, 0, 1, 1, 0, 0);
        assertThat(positions.continues().toFloatArray()).containsExactly(1, 0, 1, 1, 0, 0, 1, 1);
        assertThat(positions.documents().toLongArray()).containsExactly(0, 1, 1, 1, 1, 2, 2, 2);
        assertThat(positions.real()).isSameAs(positions.real());
    }

    @Test
    void bringsPaddingToTheEndAndBack() {
        Positions positions = of(new long[] {-1, 4, -1, 5}, new long[] {0, -1, 0, 1});
        Positions compact = positions.compacted();
        assertThat(compact.isCompact()).isTrue();
        assertThat(compact.array().toLongArray()).containsExactly(4, 5, -1, -1, 0, 0, 1, -1);
        assertThat(compact.compacted()).isSameAs(compact);
        NDArray x = manager.arange(16f).reshape(2, 4, 2);
        NDArray moved = positions.compact(x);
        assertThat(moved.toFloatArray())
                .containsExactly(2, 3, 6, 7, 0, 1, 4, 5, 8, 9, 12, 13, 14, 15, 10, 11);
        assertThat(positions.expand(moved)).isEqualTo(x);
    }

    @Test
    void saysWhatDoesNotFollow() {
        assertThatThrownBy(() -> of(new long[] {0, 1, 2}, new long[] {4, -1, 6}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "Position 6 in row 1, column 2 must be -1 (padding), 0 (a new document) or"
                                + " 5");
        assertThatThrownBy(() -> of(new long[] {-2, 0}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("row 0, column 0")
                .hasMessageEndingWith("or greater");
        assertThatThrownBy(() -> Positions.of(manager, 2, 2, new long[3]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("3 positions do not fill [2, 2]");
        assertThatThrownBy(() -> Positions.of(manager.zeros(new Shape(1, 2))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("int64 [B, T]");
        assertThatThrownBy(() -> Positions.range(manager, 1, 0, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("length 0");
    }
}
