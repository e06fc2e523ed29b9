package dev.recurrent.evaluation.catalog;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.source.JsonLine;
import dev.recurrent.evaluation.task.source.JsonLines;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A task that a user describes in a JSON file: its kind, its data, how the data becomes questions,
 * and what is measured. {@code docs/questions.md} lists the keys.
 */
final class TaskFile {

    static final String SUFFIX = ".json";

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]*");

    private final Settings settings;
    private final TaskKind kind;
    private final String name;
    private final TaskType.Factory factory;

    private TaskFile(Settings settings) {
        this.settings = settings;
        kind = TaskKind.of(settings);
        settings.requireKnown(kind.keys());
        name = settings.string("name");
        if (!NAME.matcher(name).matches() || Tasks.names().contains(name)) {
            throw settings.values()
                    .wrong(
                            "the name \""
                                    + name
                                    + "\" must be letters, digits, _, . and -, and not a task's"
                                    + " that is there already");
        }
        factory = kind.factory(settings, name);
    }

    /**
     * Reads a task file; its data are read when the task is made.
     *
     * @param file a file
     * @return the kind of task that it describes
     * @throws InvalidInputException if it is not there or malformed
     */
    static TaskType read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new InvalidInputException("There is no task file " + file);
        }
        JsonLine values;
        try {
            values = JsonLines.parse(file.toString(), Files.readString(file));
        } catch (IOException e) {
            throw new InvalidInputException(file + " cannot be read as UTF-8 text", e);
        }
        TaskFile read = new TaskFile(new Settings(file, values));
        return new TaskType(
                read.name,
                "the " + read.kind.label() + " task of " + file,
                read.kind.hasLength(),
                read::create);
    }

    private Task create(TaskOptions options) throws IOException {
        Task task = factory.create(options);
        return new NamedTask(name, metrics(task), task);
    }

    private List<Metric> metrics(Task task) {
        if (!settings.has("metrics")) {
            return task.metrics();
        }
        List<String> known = task.metrics().stream().map(Metric::name).toList();
        List<String> wanted = settings.values().strings("metrics").stream().distinct().toList();
        for (String metric : wanted) {
            if (!known.contains(metric)) {
                throw settings.unknown("metric", metric, known);
            }
        }
        if (wanted.isEmpty()) {
            throw settings.values().wrong("its \"metrics\" are empty; known are " + known);
        }
        return wanted.stream().map(metric -> task.metrics().get(known.indexOf(metric))).toList();
    }
}
