package dev.recurrent.evaluation.report;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.statistic.Aggregation;
import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Measured;
import dev.recurrent.evaluation.task.Metric;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads the JSON documents that {@link ResultsDocument} makes. */
final class ResultsReader {

    private static final Pattern KEY = Pattern.compile("(.+?)(?:@(\\d{1,9}))?");

    private final JsonNode root;
    private final Map<String, List<Metric>> metrics = new LinkedHashMap<>();

    private ResultsReader(JsonNode root) {
        this.root = root;
    }

    static EvaluationReport read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new InvalidInputException("There is no file " + file);
        }
        JsonElement json;
        try {
            json = JsonParser.parseString(Files.readString(file));
        } catch (JsonParseException | CharacterCodingException e) {
            throw new InvalidInputException(file + " is not JSON: " + e.getMessage(), e);
        }
        if (!(json instanceof JsonObject fields) || !fields.has("results")) {
            throw new InvalidInputException(
                    file
                            + " is not a results file, an object with \"results\" as evaluate"
                            + " writes it");
        }
        return new ResultsReader(new JsonNode(file.toString(), fields)).report();
    }

    private EvaluationReport report() {
        root.nodes("metrics").keySet().forEach(task -> metrics.put(task, metrics(task)));
        List<ModelResult> results = new ArrayList<>();
        JsonNode models = root.node("results");
        for (String model : models.object().keySet()) {
            models.nodes(model).forEach((key, result) -> results.add(result(model, key, result)));
        }
        return new EvaluationReport(
                results, plain("config"), versions(), date(), root.number("total_time"));
    }

    private List<Metric> metrics(String task) {
        List<Metric> read = new ArrayList<>();
        root.node("metrics")
                .nodes(task)
                .forEach(
                        (name, node) ->
                                read.add(
                                        new Metric(
                                                name,
                                                node.flag("higher_is_better")
                                                        ? Metric.Direction.HIGHER
                                                        : Metric.Direction.LOWER,
                                                aggregation(node))));
        return read;
    }

    private static Aggregation aggregation(JsonNode node) {
        String name = node.string("aggregation");
        return Arrays.stream(Aggregation.values())
                .filter(value -> value.name().toLowerCase(Locale.ROOT).equals(name))
                .findFirst()
                .orElseThrow(
                        () ->
                                new InvalidInputException(
                                        node.where() + ": there is no aggregation " + name));
    }

    private ModelResult result(String model, String key, JsonNode node) {
        Matcher matcher = KEY.matcher(key);
        if (!matcher.matches() || !metrics.containsKey(matcher.group(1))) {
            throw new InvalidInputException(
                    node.where() + ": \"metrics\" says nothing about this task");
        }
        String task = matcher.group(1);
        List<Estimate> estimates = new ArrayList<>();
        for (Metric metric : metrics.get(task)) {
            String name = metric.name();
            estimates.add(
                    new Estimate(
                            metric,
                            null,
                            node.number(name),
                            node.number(name + "_stderr"),
                            node.integer(name + "_count")));
        }
        List<Estimate> parts = node.list("parts").stream().map(part -> part(task, part)).toList();
        JsonNode run = node.node("run");
        double peak = run.number("peak_memory_bytes");
        return new ModelResult(
                model,
                task,
                matcher.group(2) == null ? 0 : Integer.parseInt(matcher.group(2)),
                new Measured(
                        estimates,
                        parts,
                        node.integer("n_samples"),
                        node.integer("tokens"),
                        node.integer("state_bytes")),
                run.number("seconds"),
                Double.isNaN(peak) ? 0 : (long) peak);
    }

    private Estimate part(String task, JsonNode node) {
        String name = node.string("metric");
        Metric metric =
                metrics.get(task).stream()
                        .filter(known -> known.name().equals(name))
                        .findFirst()
                        .orElseThrow(
                                () ->
                                        new InvalidInputException(
                                                node.where()
                                                        + ": \"metrics\" says nothing about "
                                                        + name));
        return new Estimate(
                metric,
                new Bucket(node.string("axis"), node.integer("from"), node.integer("to")),
                node.number("value"),
                node.number("stderr"),
                node.integer("count"));
    }

    private Map<String, Object> plain(String field) {
        Map<String, Object> values = new LinkedHashMap<>();
        root.node(field)
                .object()
                .asMap()
                .forEach((name, value) -> values.put(name, Json.plain(value)));
        return values;
    }

    private Map<String, String> versions() {
        Map<String, String> versions = new LinkedHashMap<>();
        plain("versions")
                .forEach(
                        (name, value) ->
                                versions.put(name, value == null ? null : value.toString()));
        return versions;
    }

    private Instant date() {
        String date = root.string("date");
        try {
            return Instant.parse(date);
        } catch (DateTimeParseException e) {
            throw new InvalidInputException(
                    root.where() + ": its \"date\" is not like 2025-01-31T12:00:00Z: " + date, e);
        }
    }
}
