package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.source.JsonLine;
import java.util.List;

/** Formats of questions that users describe by templates. */
public final class TemplateFormat {

    /**
     * Lists of texts: one template that names an array, or a template for each.
     *
     * @param templates the templates
     * @param isArray whether the only one names an array
     */
    public record Texts(List<Template> templates, boolean isArray) {

        /** Copies the list. */
        public Texts {
            templates = List.copyOf(templates);
        }

        List<String> fill(JsonLine line) {
            return isArray
                    ? templates.get(0).fillAll(line)
                    : templates.stream().map(template -> template.fill(line)).toList();
        }
    }

    private TemplateFormat() {}

    /**
     * Questions with several answers.
     *
     * @param context what the answers continue
     * @param choices the answers
     * @param delimiter stands between the two
     * @param answer the right one: its index from 0, or its label where there are labels
     * @param labels of the choices; null where the answer is an index
     */
    public static QuestionFormat choices(
            Template context, Texts choices, String delimiter, Template answer, Texts labels) {
        return line -> {
            String query = context.fill(line);
            List<Choice> all =
                    choices.fill(line).stream()
                            .map(text -> new Choice(query, delimiter, text))
                            .toList();
            String right = answer.fill(line);
            return Question.choosing(
                    line,
                    all,
                    labels == null ? index(line, right) : position(line, right, labels.fill(line)));
        };
    }

    /** Questions for the last word of a text. */
    public static QuestionFormat lastWord(Template text) {
        return line -> Lambada.lastWord(line, text.fill(line));
    }

    private static int index(JsonLine line, String answer) {
        try {
            return Integer.parseInt(answer);
        } catch (NumberFormatException e) {
            throw new InvalidInputException(
                    line.where()
                            + ": its answer \""
                            + answer
                            + "\" is not an index from 0; the task file may have \"labels\" that"
                            + " answers are looked up in",
                    e);
        }
    }

    private static int position(JsonLine line, String answer, List<String> labels) {
        int position = labels.indexOf(answer);
        if (position < 0) {
            throw line.wrong(
                    "its answer \"" + answer + "\" is none of " + String.join(", ", labels));
        }
        return position;
    }
}
