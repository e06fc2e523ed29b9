package dev.recurrent.zoo;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.config.ConfigException;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.text.Tokenizer;
import dev.recurrent.zoo.text.Tokenizers;
import dev.recurrent.zoo.weights.WeightLoader;
import dev.recurrent.zoo.weights.WeightWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * A model with its weights, configuration and tokenizer, and the manager that owns them.
 *
 * <pre>{@code
 * try (Pretrained pretrained = Pretrained.load(Path.of("delta_net-1.3B-100B"), Device.cpu())) {
 *     LanguageModel model = pretrained.model();
 *     ...
 * }
 * }</pre>
 */
public final class Pretrained implements AutoCloseable {

    private static final Object RANDOM = new Object();

    private final NDManager manager;
    private final HubConfig config;
    private final LanguageModel model;
    private final Tokenizer tokenizer;
    private final Path folder;

    private Pretrained(
            NDManager manager,
            HubConfig config,
            LanguageModel model,
            Tokenizer tokenizer,
            Path folder) {
        this.manager = manager;
        this.config = config;
        this.model = model;
        this.tokenizer = tokenizer;
        this.folder = folder;
    }

    /**
     * Loads a Hugging Face directory.
     *
     * @param folder holds {@code config.json}, weights as safetensors and, unless the model reads
     *     bytes, {@code tokenizer.json}
     * @param device where the model is to be
     * @return the model, to be closed
     * @throws ConfigException if the configuration is malformed or not supported
     * @throws CheckpointException if the weights are malformed or not those of the configuration
     * @throws MalformedModelException if the tokenizer is malformed or knows more ids than the
     *     model
     * @throws IOException if a file is missing or cannot be read
     */
    public static Pretrained load(Path folder, Device device)
            throws IOException, MalformedModelException {
        return open(folder, device, (config, manager) -> loadModel(folder, config, manager));
    }

    /** Makes the model of a folder. */
    @FunctionalInterface
    private interface Weights {
        LanguageModel load(HubConfig config, NDManager manager)
                throws IOException, MalformedModelException;
    }

    private static Pretrained open(Path folder, Device device, Weights weights)
            throws IOException, MalformedModelException {
        HubConfig config = HubConfig.read(folder.resolve(HubConfig.FILE));
        NDManager manager = newManager(device);
        try {
            Tokenizer tokenizer = openTokenizer(folder, config);
            if (tokenizer != null) {
                manager.attachInternal("tokenizer", tokenizer);
            }
            LanguageModel model = weights.load(config, manager);
            return new Pretrained(manager, config, model, tokenizer, folder);
        } catch (IOException | MalformedModelException | RuntimeException e) {
            manager.close();
            throw e;
        }
    }

    /**
     * Creates a model with random weights, as its upstream initialises them. It reads bytes.
     *
     * @param config what it is made of
     * @param device where it is to be
     * @param seed determines the weights; the engine's random numbers start from it as well
     * @return the model, to be closed
     */
    public static Pretrained create(HubConfig config, Device device, long seed) {
        NDManager manager = newManager(device);
        try {
            return new Pretrained(manager, config, createModel(config, manager, seed), null, null);
        } catch (RuntimeException e) {
            manager.close();
            throw e;
        }
    }

    /**
     * Creates a model of a folder's configuration with random weights. It reads as the folder's
     * tokenizer does.
     *
     * @param folder holds {@code config.json} and, unless the model reads bytes, {@code
     *     tokenizer.json}; weights are not looked at
     * @param device where it is to be
     * @param seed determines the weights; see {@link #create(HubConfig, Device, long)}
     * @return the model, to be closed
     * @throws MalformedModelException if the configuration or the tokenizer is malformed
     * @throws IOException if a file is missing or cannot be read
     */
    public static Pretrained create(Path folder, Device device, long seed)
            throws IOException, MalformedModelException {
        return create(folder, device, seed, UnaryOperator.identity());
    }

    /** As {@link #create(Path, Device, long)}, of a changed configuration. */
    static Pretrained create(Path folder, Device device, long seed, UnaryOperator<HubConfig> change)
            throws IOException, MalformedModelException {
        return open(
                folder,
                device,
                (config, manager) -> createModel(change.apply(config), manager, seed));
    }

    /**
     * Opens an entry of the zoo, which reads bytes: with trained weights where this jar holds some,
     * else with random ones as its upstream initialises them.
     *
     * @param preset the entry and its size
     * @param device where it is to be
     * @param seed determines random weights; see {@link #create}
     * @return the model, to be closed
     * @throws MalformedModelException if the trained weights are malformed
     * @throws IOException if they cannot be read
     */
    public static Pretrained open(Preset preset, Device device, long seed)
            throws IOException, MalformedModelException {
        NDManager manager = newManager(device);
        try {
            boolean trained = isTrained(preset);
            HubConfig config = trained ? BundledModel.config(preset) : preset.config();
            LanguageModel model =
                    trained
                            ? BundledModel.load(preset, config, manager)
                            : createModel(config, manager, seed);
            return new Pretrained(manager, config, model, null, null);
        } catch (IOException | MalformedModelException | RuntimeException e) {
            manager.close();
            throw e;
        }
    }

    /** Returns whether this jar holds trained weights of an entry of the zoo. */
    public static boolean isTrained(Preset preset) {
        return BundledModel.exists(preset);
    }

    /** Builds a model and loads a folder's weights into it. */
    static LanguageModel loadModel(Path folder, HubConfig config, NDManager manager)
            throws IOException, CheckpointException {
        LanguageModel model = new LanguageModel(config.model());
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            new WeightLoader(model, config.names()).load(checkpoint, manager);
        }
        return model;
    }

    /** Builds a model and draws its weights. */
    private static LanguageModel createModel(HubConfig config, NDManager manager, long seed) {
        LanguageModel model = new LanguageModel(config.model());
        // The engine has one generator, and two threads would share its numbers.
        synchronized (RANDOM) {
            manager.getEngine().setRandomSeed(Long.hashCode(seed));
            model.initialize(manager, DataType.FLOAT32);
        }
        return model;
    }

    /** Opens the folder's tokenizer; null where it has none. */
    static Tokenizer openTokenizer(Path folder, HubConfig config)
            throws IOException, MalformedModelException {
        try {
            return Files.exists(folder.resolve(Tokenizers.FILE))
                    ? Tokenizers.open(folder, config.model().vocabulary())
                    : null;
        } catch (IllegalArgumentException e) {
            throw new MalformedModelException(e.getMessage(), e);
        }
    }

    private static NDManager newManager(Device device) {
        NDManager manager = Engine.getEngine("PyTorch").newBaseManager(device);
        manager.setName("Pretrained");
        return manager;
    }

    /**
     * Gives the model the weights of a folder that holds the same model, such as a checkpoint.
     *
     * @param from the folder
     * @throws CheckpointException if its weights are malformed or another model's; the model is as
     *     it was then
     * @throws IOException if they cannot be read
     */
    public void reload(Path from) throws IOException, CheckpointException {
        try (Checkpoint checkpoint = Checkpoint.open(from)) {
            new WeightLoader(model, config.names()).load(checkpoint, manager);
        }
    }

    /** Returns the model. */
    public LanguageModel model() {
        return model;
    }

    /** Returns what the model's folder says about it. */
    public HubConfig config() {
        return config;
    }

    /**
     * Returns the manager that owns the weights; what callers make belongs in managers of their
     * own.
     */
    public NDManager manager() {
        return manager;
    }

    /**
     * Returns the model's tokenizer: its folder's, or bytes.
     *
     * @return the tokenizer, closed with this model
     * @throws IllegalArgumentException if there is none and the vocabulary is too small for bytes
     */
    public Tokenizer tokenizer() {
        return findTokenizer()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "The model has no tokenizer, and its vocabulary of "
                                                + config.model().vocabulary()
                                                + " is too small for bytes"));
    }

    /**
     * Returns the model's tokenizer: its folder's, or bytes.
     *
     * @return the tokenizer, closed with this model; empty if there is none and the vocabulary is
     *     too small for bytes
     */
    public Optional<Tokenizer> findTokenizer() {
        return tokenizer != null
                ? Optional.of(tokenizer)
                : Tokenizers.bytes(config.model().vocabulary());
    }

    /**
     * Saves the model as a Hugging Face directory, in files of up to 5 GB.
     *
     * @param target the folder, created if need be; an earlier model in it is replaced
     * @param type of the weights in the file: FLOAT32, BFLOAT16 or FLOAT16
     * @throws CheckpointSaveException if the weights cannot be saved; earlier ones are kept then
     * @throws IOException if another file cannot be written
     */
    public void save(Path target, ScalarType type) throws IOException {
        save(target, type, CheckpointWriter.DEFAULT_SHARD_BYTES);
    }

    /**
     * Saves the model as a Hugging Face directory.
     *
     * @param target the folder, created if need be; an earlier model in it is replaced
     * @param type of the weights in the file: FLOAT32, BFLOAT16 or FLOAT16
     * @param maxShardBytes the size of a file of weights
     * @throws CheckpointSaveException if the weights cannot be saved; earlier ones are kept then
     * @throws IOException if another file cannot be written
     */
    public void save(Path target, ScalarType type, long maxShardBytes) throws IOException {
        new WeightWriter(model, config.names())
                .write(target, new CheckpointWriter(type, maxShardBytes));
        ModelFolder.describe(target, config, type);
        if (folder != null) {
            ModelFolder.copyTokenizer(folder, target);
        }
    }

    /** Frees weights and tokenizer. Closing twice is harmless. */
    @Override
    public void close() {
        if (tokenizer != null) {
            tokenizer.close();
        }
        manager.close();
    }
}
