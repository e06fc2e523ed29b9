package dev.recurrent.evaluation.task.needle;

import java.util.Collections;
import java.util.List;

/** A text of any length, to hide a sentence in. */
interface Haystack {

    /** Sentences that say nothing, as in RULER; a piece is all five, on a line of its own. */
    Haystack NOISE =
            new Haystack() {
                @Override
                public List<String> sentences(int pieces) {
                    return Collections.nCopies(
                            pieces,
                            "The grass is green. The sky is blue. The sun is yellow. Here we go."
                                    + " There and back again.");
                }

                @Override
                public String separator() {
                    return "\n";
                }
            };

    /**
     * Returns the beginning of the text, in parts between which a sentence may be put.
     *
     * @param pieces how many pieces of it, at least 1
     */
    List<String> sentences(int pieces);

    /** Returns what stands between the parts. */
    String separator();
}
