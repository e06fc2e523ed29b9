package dev.recurrent.evaluation.task.source;

import dev.recurrent.evaluation.task.Text;

/** A text of known size: what models with different tokenizers are compared by. */
public interface MeasuredText extends Text {

    /** Returns the number of its UTF-8 bytes. */
    long bytes();

    /** Returns how many words whitespace separates in it. */
    long words();

    /** Returns where it is, for people. */
    String where();
}
