package dev.recurrent.evaluation.catalog;

import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.choice.Choice;
import dev.recurrent.evaluation.task.choice.Grading;
import dev.recurrent.evaluation.task.choice.QuestionFiles;
import dev.recurrent.evaluation.task.choice.QuestionFormat;
import dev.recurrent.evaluation.task.choice.QuestionTask;
import dev.recurrent.evaluation.task.choice.TemplateFormat;
import dev.recurrent.evaluation.task.text.Perplexity;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** What a task file may describe. */
enum TaskKind {
    MULTIPLE_CHOICE(
            false,
            "context",
            "choices",
            "delimiter",
            "answer",
            "labels",
            "shots",
            "examples",
            "separator") {
        @Override
        TaskType.Factory factory(Settings settings, String name) {
            QuestionFormat format =
                    TemplateFormat.choices(
                            settings.template("context"),
                            settings.texts("choices"),
                            settings.string("delimiter", Choice.SPACE),
                            settings.template("answer"),
                            settings.has("labels") ? settings.texts("labels") : null);
            return questions(settings, name, format, Grading.NORMALIZED_CHOICE);
        }
    },

    LAST_WORD(false, "text", "shots", "examples", "separator") {
        @Override
        TaskType.Factory factory(Settings settings, String name) {
            QuestionFormat format =
                    TemplateFormat.lastWord(
                            settings.template("text", settings.string("text", "{{text}}")));
            return questions(settings, name, format, Grading.COMPLETION);
        }
    },

    PERPLEXITY(true, "length", "stride") {
        @Override
        TaskType.Factory factory(Settings settings, String name) {
            Path text = settings.path("data");
            int length = settings.count("length");
            int stride = settings.count("stride");
            if (stride > length) {
                throw settings.values()
                        .wrong("its \"stride\" " + stride + " is more than its \"length\"");
            }
            return options ->
                    Perplexity.TYPE
                            .factory()
                            .create(
                                    options.length() > 0
                                            ? options.withText(text)
                                            : options.withText(text)
                                                    .withLength(length)
                                                    .withStride(stride));
        }
    };

    private static final List<String> COMMON = List.of("name", "kind", "data", "metrics");

    private final boolean hasLength;
    private final List<String> own;

    TaskKind(boolean hasLength, String... own) {
        this.hasLength = hasLength;
        this.own = List.of(own);
    }

    /**
     * Finds the kind that a file describes.
     *
     * @throws dev.recurrent.evaluation.InvalidInputException if it names none
     */
    static TaskKind of(Settings settings) {
        String label = settings.string("kind");
        List<String> known = Arrays.stream(values()).map(TaskKind::label).toList();
        if (!known.contains(label)) {
            throw settings.unknown("kind of task", label, known);
        }
        return values()[known.indexOf(label)];
    }

    /** Returns its name in task files. */
    String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    boolean hasLength() {
        return hasLength;
    }

    /** Returns all keys that its files may have. */
    List<String> keys() {
        return Stream.concat(COMMON.stream(), own.stream()).toList();
    }

    /**
     * Reads what is its own.
     *
     * @param settings of a file
     * @param name of the task
     * @return makes the task
     * @throws dev.recurrent.evaluation.InvalidInputException if a value is missing or malformed
     */
    abstract TaskType.Factory factory(Settings settings, String name);

    private static TaskType.Factory questions(
            Settings settings, String name, QuestionFormat format, Grading grading) {
        QuestionFiles files =
                new QuestionFiles(
                        settings.path("data"),
                        settings.has("examples") ? settings.path("examples") : null);
        int shots = settings.count("shots");
        String separator = settings.string("separator", QuestionTask.SEPARATOR);
        return options -> {
            TaskOptions fitted = options.shots() > 0 ? options : options.withShots(shots);
            return QuestionTask.read(name, files, format, grading, separator, fitted);
        };
    }
}
