package dev.recurrent.evaluation.task.needle;

import java.text.BreakIterator;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;

/**
 * A text as a haystack; a piece is a word. White space becomes single spaces, the last sentence may
 * be cut short, and a text that is too short begins again.
 */
final class Prose implements Haystack {

    private final String[] words;
    private final BitSet ends = new BitSet();

    /**
     * Splits a text.
     *
     * @param text at least one word
     */
    Prose(String text) {
        words = text.strip().split("\\s+");
        BreakIterator breaks = BreakIterator.getSentenceInstance(Locale.ENGLISH);
        breaks.setText(String.join(" ", words));
        int end = 0;
        for (int i = 0; i < words.length; i++) {
            end += words[i].length() + 1;
            // A sentence ends after the space behind its last word; the text's last has none.
            if (i == words.length - 1 || breaks.isBoundary(end)) {
                ends.set(i);
            }
        }
    }

    @Override
    public List<String> sentences(int pieces) {
        List<String> sentences = new ArrayList<>();
        List<String> sentence = new ArrayList<>();
        for (int i = 0; i < pieces; i++) {
            int word = i % words.length;
            sentence.add(words[word]);
            if (ends.get(word) || i == pieces - 1) {
                sentences.add(String.join(" ", sentence));
                sentence.clear();
            }
        }
        return sentences;
    }

    @Override
    public String separator() {
        return " ";
    }
}
