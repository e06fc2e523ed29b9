package dev.recurrent.evaluation.task.needle;

import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.source.BundledText;
import dev.recurrent.evaluation.task.source.MeasuredText;
import dev.recurrent.evaluation.task.source.TextDocuments;
import java.io.IOException;
import java.util.StringJoiner;

/** RULER's single needles in haystacks (arXiv 2404.06654, section 3.1). */
public enum NeedleKind {

    /** A number of seven digits among sentences that say nothing. */
    SINGLE_1(
            "niah_single_1",
            "a number in repeated sentences, asked for by its key, by depth",
            Needle.Type.NUMBER) {

        @Override
        Haystack haystack(TaskOptions options) {
            return Haystack.NOISE;
        }
    },

    /** A number of seven digits in prose. */
    SINGLE_2(
            "niah_single_2",
            "a number in prose (--text or a text in the jar), asked for by its key, by depth",
            Needle.Type.NUMBER),

    /** A UUID in prose. */
    SINGLE_3(
            "niah_single_3",
            "a UUID in prose (--text or a text in the jar), asked for by its key, by depth",
            Needle.Type.UUID);

    private final TaskType type;
    private final Needle.Type needle;

    NeedleKind(String name, String summary, Needle.Type needle) {
        type = new TaskType(name, summary, true, this::create);
        this.needle = needle;
    }

    /** Returns the task among the others. */
    public TaskType type() {
        return type;
    }

    private NeedleTask create(TaskOptions options) throws IOException {
        return new NeedleTask(type.name(), needle, haystack(options), options);
    }

    /** Returns the user's texts one after another, else the text in the jar. */
    Haystack haystack(TaskOptions options) throws IOException {
        if (options.text() == null) {
            return new Prose(BundledText.play().string());
        }
        StringJoiner texts = new StringJoiner("\n");
        for (MeasuredText text : TextDocuments.of(options.text(), 0).texts()) {
            texts.add(text.string());
        }
        return new Prose(texts.toString());
    }
}
