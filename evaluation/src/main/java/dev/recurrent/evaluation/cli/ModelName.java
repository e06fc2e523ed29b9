package dev.recurrent.evaluation.cli;

import java.nio.file.Path;

/**
 * A model as the user named it, checked to exist.
 *
 * @param text the name
 * @param folder its folder; null for an entry of the zoo
 */
record ModelName(String text, Path folder) {

    static ModelName of(String text) {
        return folder(Path.of(text));
    }

    /** A folder in Hugging Face form. */
    static ModelName folder(Path folder) {
        return new ModelName(folder.toString(), folder);
    }

    /** An entry of the zoo. */
    static ModelName entry(String name) {
        return new ModelName(name, null);
    }
}
