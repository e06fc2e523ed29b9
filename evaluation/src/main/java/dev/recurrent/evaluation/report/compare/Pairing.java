package dev.recurrent.evaluation.report.compare;

import dev.recurrent.evaluation.statistic.Aggregation;
import dev.recurrent.evaluation.statistic.PairedSample;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;

/**
 * Pairs what two models made of the same documents. A document is a unit: its observations depend
 * on each other. Where there is only one, such as a long text, its observations are the units if
 * they are the same stretches for both, which equal weights tell.
 */
final class Pairing {

    private Pairing() {}

    /**
     * Pairs two models' observations.
     *
     * @param first (value, weight) by document
     * @param second those of the other model
     * @param aggregation what they become
     * @return the pairs; empty where the documents differ, or there are fewer than two units
     */
    static Optional<PairedSample> of(
            SortedMap<Long, List<double[]>> first,
            SortedMap<Long, List<double[]>> second,
            Aggregation aggregation) {
        if (first.isEmpty() || !first.keySet().equals(second.keySet())) {
            return Optional.empty();
        }
        if (first.size() == 1) {
            return ofObservations(
                    first.get(first.firstKey()), second.get(first.firstKey()), aggregation);
        }
        PairedSample sample = new PairedSample(aggregation);
        first.forEach((document, all) -> add(sample, aggregation, all, second.get(document)));
        return Optional.of(sample);
    }

    private static Optional<PairedSample> ofObservations(
            List<double[]> first, List<double[]> second, Aggregation aggregation) {
        if (first.size() < 2 || first.size() != second.size()) {
            return Optional.empty();
        }
        PairedSample sample = new PairedSample(aggregation);
        for (int i = 0; i < first.size(); i++) {
            if (first.get(i)[1] != second.get(i)[1]) {
                return Optional.empty();
            }
            add(sample, aggregation, List.of(first.get(i)), List.of(second.get(i)));
        }
        return Optional.of(sample);
    }

    private static void add(
            PairedSample sample,
            Aggregation aggregation,
            List<double[]> first,
            List<double[]> second) {
        sample.add(
                values(first), weights(first, aggregation),
                values(second), weights(second, aggregation));
    }

    private static double values(List<double[]> observations) {
        return observations.stream().mapToDouble(observation -> observation[0]).sum();
    }

    private static double weights(List<double[]> observations, Aggregation aggregation) {
        return aggregation == Aggregation.MEAN
                ? observations.size()
                : observations.stream().mapToDouble(observation -> observation[1]).sum();
    }
}
