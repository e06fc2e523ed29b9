package dev.recurrent.evaluation.cli;

import dev.recurrent.evaluation.InvalidInputException;
import java.util.List;
import picocli.CommandLine.Option;

/** Which models. */
final class ModelOption {

    @Option(
            names = {"--model", "-m"},
            required = true,
            split = ",",
            paramLabel = "MODEL",
            description = "An entry of the zoo (see list) or a folder in Hugging Face form.")
    private List<String> names;

    /** Returns the models, all of which exist. */
    List<ModelName> names() {
        return names.stream().map(ModelName::of).toList();
    }

    /** Returns the one model. */
    ModelName single() {
        if (names.size() != 1) {
            throw new InvalidInputException("One model is wanted, not " + String.join(", ", names));
        }
        return ModelName.of(names.get(0));
    }
}
