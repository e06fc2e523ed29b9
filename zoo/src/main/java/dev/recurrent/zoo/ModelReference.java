package dev.recurrent.zoo;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.zoo.config.ConfigException;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import dev.recurrent.zoo.text.Tokenizer;
import dev.recurrent.zoo.text.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;

/**
 * A model by name, known to exist: an entry of the zoo or a folder.
 *
 * @param text the name
 * @param folder its folder; null for an entry of the zoo
 * @param preset the entry; null for a folder
 */
public record ModelReference(String text, Path folder, Preset preset) {

    /**
     * Finds a model.
     *
     * @param text an entry such as {@code hawk}, an entry with a size such as {@code hawk:1.3b}, or
     *     a folder in Hugging Face form
     * @return the model
     * @throws UnknownModelException if it is none of them
     * @throws IllegalArgumentException if it is a folder that holds no model
     */
    public static ModelReference of(String text) {
        int colon = text.indexOf(':');
        String entry = colon < 0 ? text : text.substring(0, colon);
        List<Preset> presets = Presets.of(entry);
        if (!presets.isEmpty()) {
            return preset(text, presets, colon < 0 ? Preset.TINY : text.substring(colon + 1));
        }
        Path folder = path(text);
        if (folder != null && Files.isDirectory(folder)) {
            return folder(folder);
        }
        throw new UnknownModelException(
                "model", text, Presets.all().stream().map(Preset::artifactId).distinct().toList());
    }

    /**
     * A folder in Hugging Face form.
     *
     * @param folder holds {@code config.json}
     * @return the model
     * @throws IllegalArgumentException if there is no such folder or no configuration in it
     */
    public static ModelReference folder(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new IllegalArgumentException("There is no folder " + folder);
        }
        if (!Files.isRegularFile(folder.resolve(HubConfig.FILE))) {
            throw new IllegalArgumentException(
                    folder + " is no model: there is no " + HubConfig.FILE + " in it");
        }
        return new ModelReference(folder.toString(), folder, null);
    }

    private static ModelReference preset(String text, List<Preset> presets, String size) {
        return presets.stream()
                .filter(candidate -> candidate.size().equals(size))
                .map(preset -> new ModelReference(text, null, preset))
                .findFirst()
                .orElseThrow(
                        () ->
                                new UnknownModelException(
                                        "size of " + presets.get(0).artifactId(),
                                        size,
                                        presets.stream().map(Preset::size).toList()));
    }

    private static Path path(String text) {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            return null;
        }
    }

    /**
     * Returns what the model is made of, without its weights.
     *
     * @throws ConfigException if a folder's configuration is malformed or not supported
     * @throws IOException if it cannot be read
     */
    public HubConfig config() throws IOException, ConfigException {
        return preset == null ? HubConfig.read(folder.resolve(HubConfig.FILE)) : preset.config();
    }

    /**
     * Opens the model's tokenizer, without its weights.
     *
     * @return its folder's, or bytes, to be closed; empty if there is none and the vocabulary is
     *     too small for bytes
     * @throws MalformedModelException if the folder's configuration or tokenizer is malformed
     * @throws IOException if it cannot be read
     */
    public Optional<Tokenizer> tokenizer() throws IOException, MalformedModelException {
        HubConfig config = config();
        Tokenizer own = folder == null ? null : Pretrained.openTokenizer(folder, config);
        return own == null ? Tokenizers.bytes(config.model().vocabulary()) : Optional.of(own);
    }

    /**
     * Loads the model.
     *
     * @param device where it is to be
     * @param seed determines the weights of an entry that has no trained ones
     * @return the model, to be closed
     * @throws MalformedModelException if its files are malformed or do not fit together
     * @throws IOException if a file cannot be read
     */
    public Pretrained open(Device device, long seed) throws IOException, MalformedModelException {
        return preset == null
                ? Pretrained.load(folder, device)
                : Pretrained.open(preset, device, seed);
    }

    /**
     * Makes the model with new weights, and a folder's tokenizer.
     *
     * @param device where it is to be
     * @param seed determines the weights
     * @return the model, to be closed
     * @throws MalformedModelException if a folder's configuration or tokenizer is malformed
     * @throws IOException if a file cannot be read
     */
    public Pretrained create(Device device, long seed) throws IOException, MalformedModelException {
        return changed(device, seed, UnaryOperator.identity());
    }

    /**
     * Makes the model with new weights that start in another way than upstream's, and a folder's
     * tokenizer.
     *
     * @param initialization how they start, by the depth of the model
     * @see #create(Device, long)
     */
    public Pretrained create(Device device, long seed, IntFunction<Initialization> initialization)
            throws IOException, MalformedModelException {
        return changed(
                device,
                seed,
                config -> config.with(initialization.apply(config.model().layers().size())));
    }

    private Pretrained changed(Device device, long seed, UnaryOperator<HubConfig> change)
            throws IOException, MalformedModelException {
        return preset == null
                ? Pretrained.create(folder, device, seed, change)
                : Pretrained.create(change.apply(preset.config()), device, seed);
    }
}
