package dev.recurrent.tests.training.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import dev.recurrent.training.data.InductionHeads;
import dev.recurrent.training.data.Mqar;
import dev.recurrent.training.data.SelectiveCopying;
import dev.recurrent.training.data.SyntheticDataset;
import dev.recurrent.training.data.SyntheticTask;
import dev.recurrent.training.metric.Labels;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class SyntheticTaskTest {

    static Stream<SyntheticTask> tasks() {
        return Stream.of(new Mqar(64, 4), new SelectiveCopying(64), new InductionHeads(256));
    }

    @ParameterizedTest
    @MethodSource("tasks")
    void examplesAreAFunctionOfSeedAndIndex(SyntheticTask task) {
        SyntheticTask.Example one = task.example(3, 17);
        assertThat(task.example(3, 17).ids()).isEqualTo(one.ids()).hasSize(task.length());
        assertThat(task.example(3, 17).labels()).isEqualTo(one.labels());
        assertThat(task.example(3, 18).ids()).isNotEqualTo(one.ids());
        assertThat(task.example(4, 17).ids()).isNotEqualTo(one.ids());
        assertThat(Arrays.stream(one.ids())).allMatch(id -> id >= 0 && id < task.vocabulary());
    }

    @ParameterizedTest
    @CsvSource({"64, 4", "128, 8", "256, 16", "512, 64", "16, 4"})
    void mqarAsksForTheValueOfEveryKeyOnce(int length, int pairs) {
        for (long index = 0; index < 20; index++) {
            SyntheticTask.Example example = new Mqar(length, pairs).example(0, index);
            Map<Long, Long> values = new HashMap<>();
            Set<Long> distinct = new HashSet<>();
            for (int i = 0; i < pairs; i++) {
                long key = example.ids()[2 * i];
                long value = example.ids()[2 * i + 1];
                assertThat(key).isBetween(1L, 4095L);
                assertThat(value).isBetween(4096L, 8191L);
                values.put(key, value);
                distinct.add(value);
            }
            assertThat(values).hasSize(pairs);
            assertThat(distinct).hasSize(pairs);
            Set<Long> asked = new HashSet<>();
            for (int t = 0; t < length; t++) {
                if (example.labels()[t] != Labels.IGNORED) {
                    assertThat(t).isGreaterThanOrEqualTo(2 * pairs);
                    assertThat(t % 2).isZero();
                    assertThat(example.labels()[t]).isEqualTo(values.get(example.ids()[t]));
                    asked.add(example.ids()[t]);
                }
            }
            assertThat(asked).isEqualTo(values.keySet());
        }
    }

    /** One pair, so that places are drawn once each with probability p(i) ∝ i^(a−1), a = .01. */
    @Test
    void mqarsGapsHaveThePowerLaw() {
        int space = 31;
        int draws = 40_000;
        int[] found = new int[space];
        Mqar task = new Mqar(64, 1);
        for (long index = 0; index < draws; index++) {
            long[] labels = task.example(1, index).labels();
            for (int t = 0; t < labels.length; t++) {
                if (labels[t] != Labels.IGNORED) {
                    found[(t - 2) / 2]++;
                }
            }
        }
        double sum = 0;
        for (int i = 1; i <= space; i++) {
            sum += Math.pow(i, -0.99);
        }
        for (int i = 0; i < space; i++) {
            double p = Math.pow(i + 1, -0.99) / sum;
            // Five standard deviations of a binomial frequency.
            double deviation = 5 * Math.sqrt(p * (1 - p) / draws);
            assertThat((double) found[i] / draws).as("gap %d", i).isCloseTo(p, within(deviation));
        }
    }

    /**
     * Several pairs: the places of query 1, 2, … are the law's successive draws without
     * replacement. All their orders are counted and compared by χ² with the products of p(i) over
     * what is left, and with those of equal chances, which must not fit.
     */
    @ParameterizedTest
    @CsvSource({"20, 2, 56", "16, 3, 60"})
    void mqarDrawsGapsWithoutReplacement(int length, int pairs, int orders) {
        int draws = 60_000;
        int space = (length - 2 * pairs) / 2;
        Map<List<Integer>, Integer> found = new HashMap<>();
        Mqar task = new Mqar(length, pairs);
        for (long index = 0; index < draws; index++) {
            SyntheticTask.Example example = task.example(5, index);
            Integer[] places = new Integer[pairs];
            for (int t = 2 * pairs; t < length; t++) {
                if (example.labels()[t] != Labels.IGNORED) {
                    int pair = 0;
                    while (example.ids()[2 * pair] != example.ids()[t]) {
                        pair++;
                    }
                    places[pair] = (t - 2 * pairs) / 2;
                }
            }
            found.merge(List.of(places), 1, Integer::sum);
        }
        assertThat(found).hasSize(orders);
        // The 1 - 1e-6 quantile of chi-square, by Wilson and Hilferty's approximation.
        int freedom = orders - 1;
        double spread = 2.0 / (9 * freedom);
        double most = freedom * Math.pow(1 - spread + 4.753 * Math.sqrt(spread), 3);
        assertThat(chiSquare(found, draws, space, 0.01)).isLessThan(most);
        assertThat(chiSquare(found, draws, space, 1)).isGreaterThan(10 * most);
    }

    /** Of successive draws with p(i) ∝ i^(a−1) among what is left. */
    private static double chiSquare(
            Map<List<Integer>, Integer> found, int draws, int space, double a) {
        double sum = 0;
        for (Map.Entry<List<Integer>, Integer> entry : found.entrySet()) {
            double left = 0;
            for (int i = 1; i <= space; i++) {
                left += Math.pow(i, a - 1);
            }
            double expected = draws;
            for (int place : entry.getKey()) {
                double weight = Math.pow(place + 1, a - 1);
                expected *= weight / left;
                left -= weight;
            }
            sum += Math.pow(entry.getValue() - expected, 2) / expected;
        }
        return sum;
    }

    @Test
    void mqarsLabelsStandAtTheirQueriesAndNowhereElse() {
        for (long index = 0; index < 50; index++) {
            SyntheticTask.Example example = new Mqar(128, 8, 256).example(1, index);
            int asked = 0;
            for (int t = 0; t < 128; t++) {
                long label = example.labels()[t];
                if (label != Labels.IGNORED) {
                    int pair = 0;
                    while (example.ids()[2 * pair] != example.ids()[t]) {
                        pair++;
                    }
                    assertThat(pair).isLessThan(8);
                    assertThat(label).isEqualTo(example.ids()[2 * pair + 1]).isBetween(128L, 255L);
                    asked++;
                }
            }
            assertThat(asked).isEqualTo(8);
        }
    }

    @Test
    void selectiveCopyingAsksForTheDataInOrder() {
        SyntheticTask.Example example = new SelectiveCopying(1024).example(0, 0);
        long[] data = Arrays.stream(example.ids(), 0, 1008).filter(id -> id != 0).toArray();
        assertThat(Arrays.stream(data)).hasSize(16).allMatch(id -> id >= 1 && id <= 14);
        assertThat(Arrays.copyOfRange(example.ids(), 1008, 1024)).containsOnly(15);
        assertThat(Arrays.copyOfRange(example.labels(), 1008, 1024)).isEqualTo(data);
        assertThat(Arrays.copyOfRange(example.labels(), 0, 1008)).containsOnly(Labels.IGNORED);
    }

    @Test
    void inductionAsksForWhatFollowedTheSpecialToken() {
        for (long index = 0; index < 50; index++) {
            SyntheticTask.Example example = new InductionHeads(8).example(0, index);
            long[] ids = example.ids();
            assertThat(Arrays.stream(ids).filter(id -> id == 15)).hasSize(2);
            assertThat(ids[7]).isEqualTo(15);
            int place = 0;
            while (ids[place] != 15) {
                place++;
            }
            assertThat(example.labels()[7]).isEqualTo(ids[place + 1]).isLessThan(15);
            assertThat(Arrays.copyOf(example.labels(), 7)).containsOnly(Labels.IGNORED);
        }
    }

    @Test
    void anEpochHasEveryExampleOnce() {
        try (NDManager manager = NDManager.newBaseManager()) {
            InductionHeads task = new InductionHeads(20);
            SyntheticDataset data = new SyntheticDataset(task, 30, 5, 2);
            assertThat(data.batches()).isEqualTo(6);
            Set<String> expected = new HashSet<>();
            for (long index = 0; index < 30; index++) {
                expected.add(Arrays.toString(task.example(2, index).ids()));
            }
            String[] firsts = new String[2];
            for (int epoch = 0; epoch < 2; epoch++) {
                Set<String> seen = new HashSet<>();
                for (Batch batch : data.getData(manager)) {
                    try (batch) {
                        long[] ids = batch.getData().get(0).toLongArray();
                        for (int row = 0; row < 5; row++) {
                            seen.add(
                                    Arrays.toString(
                                            Arrays.copyOfRange(ids, 20 * row, 20 * row + 20)));
                        }
                        firsts[epoch] =
                                firsts[epoch] == null ? Arrays.toString(ids) : firsts[epoch];
                    }
                }
                assertThat(seen).isEqualTo(expected);
            }
            assertThat(firsts[0]).isNotEqualTo(firsts[1]);
        }
    }

    @Test
    void refusesSizesThatDoNotFit() {
        assertThatThrownBy(() -> new Mqar(64, 17))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("length >= 4 pairs")
                .hasMessageContaining("17 pairs");
        assertThatThrownBy(() -> new Mqar(63, 4)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new SelectiveCopying(31))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new InductionHeads(2))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new SyntheticDataset(new InductionHeads(8), 3, 4, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("3 examples do not make a batch of 4");
    }
}
