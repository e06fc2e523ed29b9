package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.source.JsonLine;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Science questions of a school (Clark et al., arXiv 1803.05457), as on the Hugging Face hub, where
 * choices are two lists, or as AI2 published them, where they are a list of objects in the
 * question.
 */
public final class Arc {

    /** Those that simple methods answer. */
    public static final TaskType EASY = type("arc_easy", "school science questions");

    /** Those that retrieval and co-occurrence of words fail at. */
    public static final TaskType CHALLENGE =
            type("arc_challenge", "school science questions that simple methods fail at");

    private record Labelled(String label, String text) {}

    private Arc() {}

    private static TaskType type(String name, String summary) {
        return QuestionTask.type(name, summary, Arc::read, Grading.NORMALIZED_CHOICE);
    }

    private static Question read(JsonLine line) {
        boolean isRelease = line.field("question").isJsonObject();
        String asked = isRelease ? line.nested("question").string("stem") : line.string("question");
        List<Labelled> choices =
                isRelease ? release(line.nested("question")) : hub(line.nested("choices"));
        String key = line.string("answerKey");
        List<String> labels = choices.stream().map(Labelled::label).toList();
        if (!labels.contains(key)) {
            throw line.wrong(
                    "its answerKey \"" + key + "\" is none of " + String.join(", ", labels));
        }
        String query = "Question: " + asked + "\nAnswer:";
        return Question.choosing(
                line,
                choices.stream().map(choice -> Choice.of(query, choice.text())).toList(),
                labels.indexOf(key));
    }

    private static List<Labelled> release(JsonLine question) {
        return question.allNested("choices").stream()
                .map(choice -> new Labelled(choice.string("label"), choice.string("text")))
                .toList();
    }

    private static List<Labelled> hub(JsonLine choices) {
        List<String> labels = choices.strings("label");
        List<String> texts = choices.strings("text");
        if (labels.size() != texts.size()) {
            throw choices.wrong(
                    "there are " + labels.size() + " labels and " + texts.size() + " texts");
        }
        return IntStream.range(0, texts.size())
                .mapToObj(i -> new Labelled(labels.get(i), texts.get(i)))
                .toList();
    }
}
