package dev.recurrent.evaluation.task.choice;

/**
 * One possible answer and the context that it continues.
 *
 * @param context what stands before it; may be empty
 * @param delimiter stands between the two, and is scored with the answer
 * @param text the answer
 */
public record Choice(String context, String delimiter, String text) {

    /** What lm-evaluation-harness puts between question and answer unless told otherwise. */
    public static final String SPACE = " ";

    /** An answer after a space. */
    public static Choice of(String context, String text) {
        return new Choice(context, SPACE, text);
    }

    /** Returns what is scored. */
    String continuation() {
        return delimiter + text;
    }

    /** Returns the answer's length in characters: Unicode code points, without the delimiter. */
    int length() {
        return text.codePointCount(0, text.length());
    }

    /** Returns context and answer. */
    String shown() {
        return context + continuation();
    }
}
