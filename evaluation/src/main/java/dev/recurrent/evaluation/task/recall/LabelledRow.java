package dev.recurrent.evaluation.task.recall;

import dev.recurrent.evaluation.score.Row;
import dev.recurrent.evaluation.score.Scores;
import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Observation;
import dev.recurrent.training.data.SyntheticTask;
import dev.recurrent.training.metric.Labels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * An example and what is asked about it.
 *
 * @param row its ids, and the labels where there are some
 */
record LabelledRow(Row row) {

    static final String GAP = "gap";

    static LabelledRow of(SyntheticTask.Example example) {
        long[] labels = example.labels();
        int[] places =
                IntStream.range(0, labels.length)
                        .filter(i -> labels[i] != Labels.IGNORED)
                        .toArray();
        long[] targets = Arrays.stream(places).mapToLong(place -> labels[place]).toArray();
        return new LabelledRow(new Row(example.ids(), places, targets));
    }

    /**
     * Compares the model's choices with the labels.
     *
     * @param scores of the labels
     * @param gaps whether to tell how far back each answer is
     */
    List<Observation> observations(Scores scores, boolean gaps) {
        Mean all = new Mean();
        Map<Bucket, Mean> parts = new TreeMap<>();
        for (int i = 0; i < row.places().length; i++) {
            all.add(scores.isGreedy(i));
            if (gaps) {
                parts.computeIfAbsent(bucket(gap(row.places()[i])), key -> new Mean())
                        .add(scores.isGreedy(i));
            }
        }
        String accuracy = RecallTask.ACCURACY.name();
        List<Observation> observations = new ArrayList<>();
        observations.add(Observation.of(accuracy, all.value()));
        observations.add(Observation.of(RecallTask.EXACT.name(), scores.isGreedy()));
        parts.forEach(
                (bucket, part) ->
                        observations.add(Observation.of(accuracy, part.value()).in(bucket)));
        return observations;
    }

    /** How many tokens before a place its token stood for the first time, with its answer. */
    private int gap(int place) {
        int first = 0;
        while (row.ids()[first] != row.ids()[place]) {
            first++;
        }
        return place - first;
    }

    /** Powers of two. */
    private static Bucket bucket(int gap) {
        long from = Long.highestOneBit(gap);
        return new Bucket(GAP, from, 2 * from);
    }

    /** What was asked and answered. */
    Map<String, Object> sample(Scores scores, long vocabulary) {
        Map<String, Object> sample = new LinkedHashMap<>();
        sample.put("length", row.ids().length);
        sample.put("vocabulary", vocabulary);
        sample.put("ids", list(row.ids()));
        sample.put("places", Arrays.stream(row.places()).boxed().toList());
        sample.put("targets", list(row.targets()));
        sample.put("predictions", list(scores.predictions()));
        return sample;
    }

    private static List<Long> list(long[] values) {
        return Arrays.stream(values).boxed().toList();
    }

    /** Of ones and zeros. */
    private static final class Mean {

        private int right;
        private int count;

        void add(boolean isRight) {
            right += isRight ? 1 : 0;
            count++;
        }

        double value() {
            return (double) right / count;
        }
    }
}
