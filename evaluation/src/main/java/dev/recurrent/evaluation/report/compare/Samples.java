package dev.recurrent.evaluation.report.compare;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.JsonNode;
import dev.recurrent.evaluation.task.source.JsonLine;
import dev.recurrent.evaluation.task.source.JsonLines;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** What a task's samples file says about whole documents: (value, weight) by metric. */
final class Samples {

    /**
     * What observations are about.
     *
     * @param model as the user named it
     * @param length of the sequences; 0 for the task's own
     * @param metric its name
     */
    record Key(String model, int length, String metric) {}

    private final Map<Key, SortedMap<Long, List<double[]>>> observations = new HashMap<>();

    private Samples() {}

    /**
     * Reads a file.
     *
     * @throws InvalidInputException if a line is not as evaluations write it, or a document is
     *     there twice
     * @throws IOException if it cannot be read
     */
    static Samples read(Path file) throws IOException {
        Samples samples = new Samples();
        try (BufferedReader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            String line;
            for (int number = 1; (line = reader.readLine()) != null; number++) {
                JsonLine json = JsonLines.parse(file + ", line " + number, line);
                samples.add(new JsonNode(json.where(), json.object()));
            }
        } catch (MalformedInputException e) {
            throw new InvalidInputException(file + " is not UTF-8 text", e);
        }
        return samples;
    }

    private void add(JsonNode line) {
        String model = line.string("model");
        double length = line.number("length");
        long document = line.integer("doc");
        Map<String, List<double[]>> metrics = new HashMap<>();
        for (JsonNode observation : line.list("observations")) {
            if (!observation.has("axis")) {
                metrics.computeIfAbsent(observation.string("metric"), name -> new ArrayList<>())
                        .add(
                                new double[] {
                                    observation.number("value"), observation.integer("weight")
                                });
            }
        }
        metrics.forEach(
                (metric, all) -> {
                    Key key = new Key(model, Double.isNaN(length) ? 0 : (int) length, metric);
                    if (observations
                                    .computeIfAbsent(key, k -> new TreeMap<>())
                                    .putIfAbsent(document, all)
                            != null) {
                        throw new InvalidInputException(
                                line.where() + ": document " + document + " is there twice");
                    }
                });
    }

    /** Returns the observations of a metric by document; none where there are none. */
    SortedMap<Long, List<double[]>> of(Key key) {
        return observations.getOrDefault(key, new TreeMap<>());
    }
}
