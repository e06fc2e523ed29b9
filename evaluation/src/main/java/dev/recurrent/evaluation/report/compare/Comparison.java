package dev.recurrent.evaluation.report.compare;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.statistic.Difference;
import dev.recurrent.evaluation.statistic.Holm;
import dev.recurrent.evaluation.statistic.PairedSample;
import dev.recurrent.evaluation.task.Estimate;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Two evaluations against each other.
 *
 * @param first the first run's file
 * @param second the second run's
 * @param scores what is in both, by model, task, length and metric
 * @param warnings in what the runs differ besides, for people
 */
public record Comparison(
        Path first, Path second, List<ScoreDifference> scores, List<String> warnings) {

    /** Copies the lists. */
    public Comparison {
        scores = List.copyOf(scores);
        warnings = List.copyOf(warnings);
    }

    /**
     * Compares two results files. Models are matched by name; where each run has one model, and
     * they differ in name, these two. Scores are paired by document where both runs' samples are
     * beside them and hold the same documents, else taken as independent.
     *
     * @param first a results file
     * @param second another
     * @param requireSamples whether samples must be there
     * @param seed of the permutation tests of pairs
     * @throws InvalidInputException if a file is not as evaluations write it, required samples are
     *     missing, or the runs have nothing in common
     * @throws IOException if a file cannot be read
     */
    public static Comparison of(Path first, Path second, boolean requireSamples, long seed)
            throws IOException {
        Run a = Run.read(first);
        Run b = Run.read(second);
        List<ScoreDifference> scores = new ArrayList<>();
        List<String> warnings = new ArrayList<>(ConfigDifferences.of(a.report(), b.report()));
        for (Map.Entry<String, String> models : models(a, b).entrySet()) {
            for (ModelResult result : a.report().results()) {
                Optional<ModelResult> other = b.find(models.getValue(), result.key());
                if (result.model().equals(models.getKey()) && other.isPresent()) {
                    warnings.addAll(ConfigDifferences.of(result, other.get()));
                    Optional<Samples> samplesA = a.samples(result.task(), requireSamples);
                    Optional<Samples> samplesB = b.samples(result.task(), requireSamples);
                    scores.addAll(new Match(result, other.get(), samplesA, samplesB).scores(seed));
                }
            }
        }
        if (scores.isEmpty()) {
            throw new InvalidInputException(
                    first
                            + " and "
                            + second
                            + " have no model, task and metric in common: "
                            + keys(a)
                            + " / "
                            + keys(b));
        }
        return new Comparison(first, second, corrected(scores), warnings);
    }

    private static Map<String, String> models(Run a, Run b) {
        Map<String, String> models = new LinkedHashMap<>();
        for (String model : a.models()) {
            if (b.models().contains(model)) {
                models.put(model, model);
            }
        }
        if (models.isEmpty() && a.models().size() == 1 && b.models().size() == 1) {
            models.put(a.models().get(0), b.models().get(0));
        }
        return models;
    }

    private static String keys(Run run) {
        return String.join(
                ", ",
                run.report().results().stream()
                        .map(result -> result.model() + " " + result.key())
                        .toList());
    }

    private static List<ScoreDifference> corrected(List<ScoreDifference> scores) {
        double[] holm =
                Holm.correct(
                        scores.stream().mapToDouble(score -> score.difference().p()).toArray());
        List<ScoreDifference> corrected = new ArrayList<>();
        for (ScoreDifference score : scores) {
            corrected.add(score.withHolm(holm[corrected.size()]));
        }
        return corrected;
    }

    /** A task's results in both runs, with samples where there are any. */
    private record Match(
            ModelResult a, ModelResult b, Optional<Samples> samplesA, Optional<Samples> samplesB) {

        List<ScoreDifference> scores(long seed) {
            List<ScoreDifference> scores = new ArrayList<>();
            for (Estimate first : a.measured().estimates()) {
                for (Estimate second : b.measured().estimates()) {
                    if (first.metric().equals(second.metric())) {
                        scores.add(
                                new ScoreDifference(
                                        a.model(),
                                        b.model(),
                                        a.task(),
                                        a.length(),
                                        first,
                                        second,
                                        difference(first, second, seed),
                                        Double.NaN));
                    }
                }
            }
            return scores;
        }

        private Difference difference(Estimate first, Estimate second, long seed) {
            return pairs(first)
                    .map(pairs -> pairs.difference(seed))
                    .orElseGet(
                            () ->
                                    Difference.independent(
                                            first.value(),
                                            first.standardError(),
                                            second.value(),
                                            second.standardError()));
        }

        private Optional<PairedSample> pairs(Estimate first) {
            if (samplesA.isEmpty() || samplesB.isEmpty()) {
                return Optional.empty();
            }
            String metric = first.metric().name();
            return Pairing.of(
                    samplesA.get().of(new Samples.Key(a.model(), a.length(), metric)),
                    samplesB.get().of(new Samples.Key(b.model(), b.length(), metric)),
                    first.metric().aggregation());
        }
    }
}
