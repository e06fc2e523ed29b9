package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.rule.FlashAttention;
import dev.recurrent.blocks.rule.PackedDocuments;
import dev.recurrent.blocks.rule.Positions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What FlashAttention is told about documents, which it cannot be asked on a CPU. */
class PackedDocumentsTest {

    @Test
    void rowsAndResetsBeginStretches() {
        try (NDManager manager = NDManager.newBaseManager()) {
            long[] values = {0, 1, 2, 0, 1, 5, 0, 0, -1, -1};
            PackedDocuments packed = PackedDocuments.of(Positions.of(manager, 2, 5, values), 0);
            assertThat(packed.queries()).containsExactly(0, 3, 5, 6, 7, 10);
            assertThat(packed.keys()).isEqualTo(packed.queries());
            assertThat(packed.mostQueries()).isEqualTo(3);
            assertThat(packed.mostKeys()).isEqualTo(3);
        }
    }

    @Test
    void rowsWithoutValuesAreOneStretch() {
        try (NDManager manager = NDManager.newBaseManager()) {
            PackedDocuments packed = PackedDocuments.of(Positions.range(manager, 3, 4, 9), 2);
            assertThat(packed.queries()).containsExactly(0, 0, 4, 4, 8, 8, 12);
            assertThat(packed.keys()).containsExactly(0, 0, 6, 6, 12, 12, 18);
            assertThat(packed.rows()).containsExactly(3, 0, 3, 1, 3, 2, 3);
        }
    }

    /** Each query's keys, by the kernel's own reading of the stretches, are those it may see. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 100})
    void queriesSeeTheirDocumentAndThePastThatItContinues(int window) {
        long[][] rows = {
            {4, 5, 6, 7, 8, 9}, {0, 1, 2, 3, 4, 5}, {2, 3, 0, 1, 0, 1}, {7, 0, 1, 2, -1, -1}
        };
        int slots = 5;
        int[] held = {4, 3, 2, 5}; // the second row's are of a document that has ended
        try (NDManager manager = NDManager.newBaseManager()) {
            long[] values = Arrays.stream(rows).flatMapToLong(Arrays::stream).toArray();
            Positions positions = Positions.of(manager, rows.length, 6, values);
            PackedDocuments packed = PackedDocuments.of(positions, slots);
            for (int row = 0; row < rows.length; row++) {
                for (int t = 0; t < 6; t++) {
                    if (rows[row][t] >= 0) {
                        assertThat(seen(packed, held, slots, row * 6 + t, window))
                                .as("row %d, token %d", row, t)
                                .isEqualTo(expected(rows[row], held[row], slots, row, t, window));
                    }
                }
            }
        }
    }

    /** Bottom-right causal within a stretch, at most W of the keys. */
    private static List<Integer> seen(
            PackedDocuments packed, int[] held, int slots, int query, int window) {
        int i = packed.queries().length - 1;
        while (packed.queries()[i] > query) {
            i--;
        }
        int end = key(packed, held, slots, i + 1);
        int last = end - 1 - (packed.queries()[i + 1] - 1 - query);
        int first = key(packed, held, slots, i);
        if (window > 0) {
            first = Math.max(first, last - window + 1);
        }
        List<Integer> keys = new ArrayList<>();
        for (int k = first; k <= last; k++) {
            keys.add(k);
        }
        return keys;
    }

    private static int key(PackedDocuments packed, int[] held, int slots, int i) {
        int row = Math.toIntExact(packed.rows()[i]);
        return packed.keys()[i] + (row < held.length ? slots - held[row] : 0);
    }

    private static List<Integer> expected(
            long[] row, int held, int slots, int index, int token, int window) {
        int base = index * (slots + row.length) + slots;
        List<Integer> keys = new ArrayList<>();
        int t = token;
        while (t > 0 && row[t] != 0) {
            t--;
        }
        int first = row[t] == 0 ? t : t - held;
        if (window > 0) {
            first = Math.max(first, token - window + 1);
        }
        for (int k = first; k <= token; k++) {
            keys.add(base + k);
        }
        return keys;
    }

    @ParameterizedTest
    @CsvSource({
        "64, 64, true, 86, true",
        "256, 256, true, 90, true",
        "256, 256, true, 86, false",
        "256, 256, false, 86, true",
        "192, 192, true, 89, true",
        "264, 264, false, 90, false",
        "60, 60, false, 90, false",
        "64, 128, false, 90, false"
    })
    void headsThatTheKernelsKnow(
            long keyDim, long valueDim, boolean recording, int capability, boolean fit) {
        assertThat(FlashAttention.fits(keyDim, valueDim, recording, capability)).isEqualTo(fit);
    }
}
