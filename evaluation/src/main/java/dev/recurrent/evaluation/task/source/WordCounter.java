package dev.recurrent.evaluation.task.source;

/** Counts words as Python's {@code len(text.split())} does, piece by piece. */
final class WordCounter {

    private long words;
    private boolean insideWord;

    void add(char character) {
        boolean space = isSpace(character);
        if (!space && !insideWord) {
            words++;
        }
        insideWord = !space;
    }

    long words() {
        return words;
    }

    private static boolean isSpace(char character) {
        return Character.isWhitespace(character)
                || Character.isSpaceChar(character)
                || character == '\u0085';
    }
}
