package dev.recurrent.evaluation.spark;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.Tokenizer;
import dev.recurrent.zoo.text.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;

/** What a model's folder says about it, without its weights. */
final class ModelTraits {

    private ModelTraits() {}

    /**
     * Checks that a task can be put to a model.
     *
     * @throws dev.recurrent.evaluation.InvalidInputException if it cannot
     * @throws MalformedModelException if configuration or tokenizer are malformed
     * @throws IOException if they cannot be read
     */
    static void check(Task task, ModelReference model) throws IOException, MalformedModelException {
        long vocabulary = model.config().model().vocabulary();
        try (Tokenizer tokenizer = openTokenizer(model, vocabulary)) {
            task.fit(new Traits(model.text(), tokenizer, vocabulary));
        }
    }

    private static Tokenizer openTokenizer(ModelReference model, long vocabulary)
            throws IOException, MalformedModelException {
        try {
            return hasTokenizer(model, vocabulary)
                    ? Tokenizers.open(model.folder(), vocabulary)
                    : null;
        } catch (IllegalArgumentException e) {
            throw new MalformedModelException(e.getMessage(), e);
        }
    }

    /** Returns whether a model reads text: by its folder's tokenizer, or by bytes. */
    static boolean hasTokenizer(ModelReference model, long vocabulary) {
        return vocabulary >= new ByteTokenizer().vocabulary()
                || model.folder() != null && Files.exists(model.folder().resolve(Tokenizers.FILE));
    }
}
