package dev.recurrent.evaluation.cli;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.run.KnownModels;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.text.Tokenizers;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/** A model as the user named it, known to exist. */
record ModelName(ModelReference reference) {

    /** Weights of entries without trained ones start here. */
    private static final long SEED = 0;

    /**
     * Finds a model.
     *
     * @param text see {@link ModelReference#of}
     * @return the model
     * @throws InvalidInputException if there is none
     */
    static ModelName of(String text) {
        return new ModelName(KnownModels.find(text));
    }

    /**
     * A folder in Hugging Face form.
     *
     * @throws InvalidInputException if there is no such folder or no configuration in it
     */
    static ModelName folder(Path folder) {
        try {
            return new ModelName(ModelReference.folder(folder));
        } catch (IllegalArgumentException e) {
            throw new InvalidInputException(e.getMessage(), e);
        }
    }

    String text() {
        return reference.text();
    }

    Path folder() {
        return reference.folder();
    }

    /**
     * Loads the model.
     *
     * @param device where it is to be
     * @return the model, to be closed
     * @throws MalformedModelException if its files are malformed or do not fit together
     * @throws IOException if a file cannot be read
     */
    Pretrained open(DeviceOption device) throws IOException, MalformedModelException {
        return reference.open(device.device(), SEED);
    }

    /** Says what the user may not expect of the model. */
    void warn(PrintWriter err) {
        if (reference.preset() != null) {
            if (!Pretrained.isTrained(reference.preset())) {
                err.println(text() + " is not trained: its weights are random, from seed " + SEED);
            }
        } else if (!Files.exists(folder().resolve(Tokenizers.FILE))) {
            err.println(
                    folder() + " has no " + Tokenizers.FILE + ": its tokens are taken for bytes");
        }
    }
}
