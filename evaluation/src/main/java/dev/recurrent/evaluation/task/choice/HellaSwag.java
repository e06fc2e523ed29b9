package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.source.JsonLine;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * How a described activity goes on (Zellers et al., arXiv 1905.07830). Texts are cleaned as
 * lm-evaluation-harness does: headings and other bracketed marks of WikiHow go.
 */
public final class HellaSwag {

    /** The task among the others. */
    public static final TaskType TYPE =
            QuestionTask.type(
                    "hellaswag",
                    "which of four endings follows a description",
                    HellaSwag::read,
                    Grading.NORMALIZED_CHOICE);

    private static final String HEADING = " [title]";
    private static final Pattern BRACKETED = Pattern.compile("\\[.*?]", Pattern.UNIX_LINES);

    private HellaSwag() {}

    private static Question read(JsonLine line) {
        String query = clean(line.string("activity_label") + ": " + context(line));
        List<Choice> endings =
                line.strings("endings").stream()
                        .map(ending -> Choice.of(query, clean(ending)))
                        .toList();
        return Question.choosing(line, endings, line.integer("label"));
    }

    /** Joins the context's two sentences; files without them have it whole. */
    private static String context(JsonLine line) {
        return line.has("ctx_a")
                ? line.string("ctx_a") + " " + capitalized(line.string("ctx_b"))
                : line.string("ctx");
    }

    /** One upper-case letter, then lower-case ones only, as Python's {@code capitalize} does. */
    private static String capitalized(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = text.codePointAt(0);
        return Character.toString(Character.toTitleCase(first))
                + text.substring(Character.charCount(first)).toLowerCase(Locale.ROOT);
    }

    private static String clean(String text) {
        String plain = BRACKETED.matcher(text.strip().replace(HEADING, ". ")).replaceAll("");
        return plain.replace("  ", " ");
    }
}
