package dev.recurrent.evaluation.run;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.Suggestions;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.UnknownModelException;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.util.Optional;

/** Models as users name them, and what can be known of them without their weights. */
public final class KnownModels {

    private KnownModels() {}

    /**
     * Finds a model.
     *
     * @param text see {@link ModelReference#of}
     * @return the model
     * @throws InvalidInputException if there is none, naming those that may have been meant
     */
    public static ModelReference find(String text) {
        try {
            return ModelReference.of(text);
        } catch (UnknownModelException e) {
            throw Suggestions.unknown(e.getWhat(), e.getName(), e.getKnown());
        } catch (IllegalArgumentException e) {
            throw new InvalidInputException(e.getMessage(), e);
        }
    }

    /**
     * Checks that a task can be put to a model.
     *
     * @param task the task
     * @param model the model
     * @throws InvalidInputException if it cannot: see {@link Task#fit}
     * @throws MalformedModelException if the model's configuration or tokenizer is malformed
     * @throws IOException if they cannot be read
     */
    public static void check(Task task, ModelReference model)
            throws IOException, MalformedModelException {
        Optional<Tokenizer> tokenizer = model.tokenizer();
        try {
            long vocabulary = model.config().model().vocabulary();
            task.fit(new Traits(model.text(), tokenizer.orElse(null), vocabulary));
        } finally {
            tokenizer.ifPresent(Tokenizer::close);
        }
    }
}
