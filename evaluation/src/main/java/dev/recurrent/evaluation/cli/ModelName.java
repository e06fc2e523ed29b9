package dev.recurrent.evaluation.cli;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import dev.recurrent.zoo.text.Tokenizers;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A model as the user named it, known to exist.
 *
 * @param text the name
 * @param folder its folder; null for an entry of the zoo
 * @param preset the entry; null for a folder
 */
record ModelName(String text, Path folder, Preset preset) {

    /** Weights of entries without trained ones start here. */
    private static final long SEED = 0;

    /**
     * Finds a model.
     *
     * @param text an entry such as {@code hawk}, an entry with a size such as {@code hawk:1.3b}, or
     *     a folder
     * @return the model
     * @throws InvalidInputException if it is none of them
     */
    static ModelName of(String text) {
        int colon = text.indexOf(':');
        String entry = colon < 0 ? text : text.substring(0, colon);
        List<Preset> presets = Presets.of(entry);
        if (!presets.isEmpty()) {
            return preset(text, presets, colon < 0 ? Preset.TINY : text.substring(colon + 1));
        }
        Path folder = path(text);
        if (Files.isDirectory(folder)) {
            return folder(folder);
        }
        throw Suggestions.unknown(
                "model", text, Presets.all().stream().map(Preset::artifactId).distinct().toList());
    }

    private static ModelName preset(String text, List<Preset> presets, String size) {
        Optional<Preset> preset =
                presets.stream().filter(candidate -> candidate.size().equals(size)).findFirst();
        return new ModelName(
                text,
                null,
                preset.orElseThrow(
                        () ->
                                Suggestions.unknown(
                                        "size of " + presets.get(0).artifactId(),
                                        size,
                                        presets.stream().map(Preset::size).toList())));
    }

    private static Path path(String text) {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw new InvalidInputException(e.getMessage(), e);
        }
    }

    /**
     * A folder in Hugging Face form.
     *
     * @throws InvalidInputException if there is no such folder or no configuration in it
     */
    static ModelName folder(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InvalidInputException("There is no folder " + folder);
        }
        if (!Files.isRegularFile(folder.resolve(HubConfig.FILE))) {
            throw new InvalidInputException(
                    folder + " is no model: there is no " + HubConfig.FILE + " in it");
        }
        return new ModelName(folder.toString(), folder, null);
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
        return preset == null
                ? Pretrained.load(folder, device.device())
                : Pretrained.open(preset, device.device(), SEED);
    }

    /** Says what the user may not expect of the model. */
    void warn(PrintWriter err) {
        if (preset != null) {
            if (!Pretrained.isTrained(preset)) {
                err.println(text + " is not trained: its weights are random, from seed " + SEED);
            }
        } else if (!Files.exists(folder.resolve(Tokenizers.FILE))) {
            err.println(folder + " has no " + Tokenizers.FILE + ": its tokens are taken for bytes");
        }
    }
}
