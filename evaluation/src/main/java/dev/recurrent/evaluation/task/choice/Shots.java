package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.training.data.Seeds;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Answered examples before a question. Which ones is a function of seed and question alone, so that
 * neither batches nor machines matter; the question itself is never among them, and nor is another
 * of the same words.
 *
 * @param examples to draw from
 * @param count how many stand before a question
 * @param separator stands after each
 * @param seed of the drawing
 */
record Shots(List<Question> examples, int count, String separator, long seed) {

    /** Copies the list. */
    Shots {
        examples = List.copyOf(examples);
    }

    /**
     * Returns the text that comes before a question.
     *
     * @param index of the question
     * @param question the question
     * @throws InvalidInputException if there are too few other examples
     */
    String before(long index, Question question) {
        String asked = question.right().shown();
        SplittableRandom random = Seeds.random(seed, index);
        StringBuilder text = new StringBuilder();
        Set<Integer> seen = new HashSet<>();
        int shown = 0;
        while (shown < count) {
            if (seen.size() == examples.size()) {
                throw new InvalidInputException(
                        question.where()
                                + ": there are "
                                + shown
                                + " examples that are not this question, fewer than the "
                                + count
                                + " that are to stand before it");
            }
            int drawn = random.nextInt(examples.size());
            if (seen.add(drawn)) {
                String example = examples.get(drawn).right().shown();
                if (!example.equals(asked)) {
                    text.append(example).append(separator);
                    shown++;
                }
            }
        }
        return text.toString();
    }
}
