package dev.recurrent.training.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.initializer.Initializer;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.LowRankAdapter;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.training.parameter.ParameterPatterns;
import dev.recurrent.training.parameter.UnknownParameterException;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import dev.recurrent.zoo.config.HubConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * The adapters of a model: y = W·x + b + (α/r)·B·(A·x) on the projections that a {@link LoraConfig}
 * selects (LoRA, arXiv 2106.09685; {@code loralib.Linear}, {@code peft.tuners.lora.Linear}). A
 * starts uniform within ±1/√in (Kaiming's with a = √5, as both do), B at zero.
 *
 * <p>Only {@link Projection}s can be adapted: not the embedding table, which a tied head is too,
 * nor convolutions, nor the block-diagonal gates of {@link
 * dev.recurrent.blocks.mixer.RealGatedLru}.
 *
 * <p>While there are adapters all other parameters are frozen, and a model's own weights are saved
 * and loaded as if there were none. Adapters belong to the manager of the weights beside them.
 *
 * <p>DJL's {@code newTrainer} unfreezes everything in a model that was loaded from a folder: with
 * DJL's own trainer call {@link #freezeBase()} after it.
 *
 * <pre>{@code
 * LoraAdapters adapters = LoraAdapters.attach(model, LoraConfig.allLayers(8, 16), 42);
 * ... // train
 * adapters.save(folder, pretrained.config());
 * adapters.merge();
 * }</pre>
 */
public final class LoraAdapters {

    private final LanguageModel model;
    private final LoraConfig config;
    private final Map<String, Projection> targets;
    private final List<Parameter> frozen;
    private boolean attached = true;

    private LoraAdapters(
            LanguageModel model,
            LoraConfig config,
            Map<String, Projection> targets,
            List<Parameter> frozen) {
        this.model = model;
        this.config = config;
        this.targets = targets;
        this.frozen = frozen;
    }

    /**
     * Adds fresh adapters to a model, which goes on computing exactly the same, and freezes all
     * else.
     *
     * @param model a model with parameter values; no pass may be under way
     * @param config where and how large
     * @param seed determines A; the engine's random numbers are not used
     * @return the adapters
     * @throws UnknownParameterException if a pattern matches no projection
     * @throws IllegalStateException if the model has adapters already, or no values yet
     */
    public static LoraAdapters attach(LanguageModel model, LoraConfig config, long seed) {
        requireBare(model);
        Map<String, Projection> targets = select(model, config);
        SplittableRandom random = new SplittableRandom(seed);
        Map<String, LowRankAdapter> adapters = new LinkedHashMap<>();
        targets.forEach(
                (path, projection) ->
                        adapters.put(
                                path,
                                create(
                                        projection,
                                        config,
                                        (manager, shape, type) -> drawA(random, manager, shape))));
        return attach(model, config, adapters);
    }

    /**
     * Adds the adapters of a folder to a model and freezes all else, as {@link
     * #attach(LanguageModel, LoraConfig, long)} does. The folder is one of {@link #save} or of
     * PEFT.
     *
     * <p>Where our one projection is several upstream (q, k and v of DeltaNet), PEFT trains an A
     * for each. Such adapters are joined exactly, one below the other; the rank of all is then that
     * of the largest, filled up with zeros, and α grows with it.
     *
     * @param model a model with parameter values; no pass may be under way
     * @param base what the model's folder says about it
     * @param folder holds {@code adapter_model.safetensors} and {@code adapter_config.json}
     * @return the adapters
     * @throws CheckpointException if the files are malformed, use what LoRA here does not have, or
     *     are not for this model: all that is wrong is listed, and the model is unchanged
     * @throws IllegalArgumentException if {@code base} is another model's
     * @throws IllegalStateException if the model has adapters already, or no values yet
     * @throws IOException if a file is missing or cannot be read
     */
    public static LoraAdapters load(LanguageModel model, HubConfig base, Path folder)
            throws IOException, CheckpointException {
        requireBare(model);
        Map<String, Projection> projections = SizedBlock.projectionsOf(model);
        AdapterReader.Result read =
                new AdapterReader(projections, modules(model, base, projections))
                        .read(folder, base);
        return attach(model, read.config(), read.adapters());
    }

    /**
     * Counts what adapters would be trained, without adding them.
     *
     * @param model with parameter values or without
     * @param config where and how large
     * @return elements of all A and B
     * @throws UnknownParameterException if a pattern matches no projection
     */
    public static long parameterCount(LanguageModel model, LoraConfig config) {
        return select(model, config).values().stream()
                .map(projection -> projection.weight().getShape()) // [out, in]
                .mapToLong(shape -> config.rank() * (shape.get(0) + shape.get(1)))
                .sum();
    }

    private static LoraAdapters attach(
            LanguageModel model, LoraConfig config, Map<String, LowRankAdapter> adapters) {
        List<Parameter> base =
                SizedBlock.parametersOf(model).values().stream()
                        .filter(Parameter::requiresGradient)
                        .toList();
        Map<String, Projection> targets = new LinkedHashMap<>();
        Map<String, Projection> projections = SizedBlock.projectionsOf(model);
        adapters.forEach(
                (path, adapter) -> {
                    Projection projection = projections.get(path);
                    projection.attach(adapter);
                    targets.put(path, projection);
                });
        LoraAdapters attached = new LoraAdapters(model, config, targets, base);
        attached.freezeBase();
        return attached;
    }

    private static void requireBare(LanguageModel model) {
        if (!model.isInitialized()) {
            throw new IllegalStateException(
                    "The model has no parameter values yet; load or initialise it, then adapt it");
        }
        for (Map.Entry<String, Projection> entry : SizedBlock.projectionsOf(model).entrySet()) {
            if (entry.getValue().adapter().isPresent()) {
                throw new IllegalStateException(
                        "The model has adapters already, on "
                                + entry.getKey()
                                + " for one; merge or detach them first");
            }
        }
    }

    private static List<PeftModule> modules(
            LanguageModel model, HubConfig base, Map<String, Projection> projections) {
        if (!base.model().equals(model.config())) {
            throw new IllegalArgumentException(
                    "The configuration given with the adapters is not that of their model");
        }
        return PeftModule.of(base.names(), projections);
    }

    private static Map<String, Projection> select(LanguageModel model, LoraConfig config) {
        Map<String, Projection> weights = new LinkedHashMap<>();
        SizedBlock.projectionsOf(model)
                .forEach((path, projection) -> weights.put(path + ".weight", projection));
        Map<String, Projection> selected = new LinkedHashMap<>();
        ParameterPatterns.of(config.targets())
                .select("projection", weights)
                .forEach((path, projection) -> selected.put(withoutWeight(path), projection));
        return selected;
    }

    private static String withoutWeight(String path) {
        return path.substring(0, path.length() - ".weight".length());
    }

    /** Creates an adapter for a projection, with values, beside the projection's weight. */
    static LowRankAdapter create(Projection projection, LoraConfig config, Initializer forA) {
        Shape weight = projection.weight().getShape(); // [out, in]
        LowRankAdapter adapter =
                new LowRankAdapter(
                        weight.get(1), weight.get(0), config.rank(), config.scale(), forA);
        adapter.initialize(projection.weight().getArray().getManager(), DataType.FLOAT32);
        return adapter;
    }

    /** On the host, so that devices do not differ and training's random numbers stay its own. */
    private static NDArray drawA(SplittableRandom random, NDManager manager, Shape shape) {
        double bound = 1 / Math.sqrt(shape.get(1));
        float[] values = new float[Math.toIntExact(shape.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextDouble(-bound, bound);
        }
        return manager.create(values, shape); // [r, in]
    }

    /** Returns where the adapters are and how large. */
    public LoraConfig config() {
        return config;
    }

    /** Returns the paths of the adapted projections, in the model's order. */
    public Set<String> targets() {
        return Collections.unmodifiableSet(targets.keySet());
    }

    /**
     * Returns the adapters' parameters: A [r, in] and B [out, r] of every adapted projection.
     *
     * @return by path in the model, such as {@code layers.0.mixer.q_proj.lora.A}
     * @throws IllegalStateException if they are no longer in the model
     */
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> all = new LinkedHashMap<>();
        adapters()
                .forEach(
                        (path, adapter) -> {
                            all.put(path + ".lora.A", adapter.a());
                            all.put(path + ".lora.B", adapter.b());
                        });
        return all;
    }

    /**
     * Freezes every parameter of the model but the adapters', again: DJL's {@code newTrainer} may
     * have unfrozen them.
     *
     * @throws IllegalStateException if the adapters are no longer in the model
     */
    public void freezeBase() {
        Collection<Parameter> trained = parameters().values();
        SizedBlock.parametersOf(model).values().stream()
                .filter(parameter -> !trained.contains(parameter))
                .forEach(parameter -> parameter.freeze(true));
    }

    /**
     * Saves the adapters as PEFT does, so that {@code peft.PeftModel.from_pretrained} opens them
     * over the upstream model: {@code adapter_model.safetensors}, float32, and {@code
     * adapter_config.json}. Where our one projection is several upstream, each gets A and its rows
     * of B. Each file is there whole or not at all; one adapter saved again and again into a folder
     * can always be loaded, while an adapter of another configuration is removed first.
     *
     * <p>In Python, PEFT refuses {@code out_proj} of a pure Mamba-2 model, and
     * flash-linear-attention with {@code fuse_swiglu} passes over an adapter on {@code down_proj},
     * since their fused kernels take the weight itself: select others, or {@link #merge()}.
     *
     * @param folder created if need be
     * @param base what the model's folder says about it
     * @throws CheckpointSaveException if saving fails
     * @throws IllegalArgumentException if {@code base} is another model's
     * @throws IllegalStateException if the adapters are no longer in the model
     */
    public void save(Path folder, HubConfig base) throws CheckpointSaveException {
        Map<String, LowRankAdapter> adapters = adapters();
        AdapterWriter.write(folder, base, config, modules(model, base, targets), adapters);
    }

    /**
     * Adds every (α/r)·B·A to its weight and removes the adapters. The model computes the same but
     * for rounding; what adapting it froze is unfrozen. No pass may be under way.
     *
     * @throws IllegalStateException if the adapters are no longer in the model
     */
    public void merge() {
        requireAttached();
        targets.values().forEach(Projection::merge);
        release();
    }

    /**
     * Removes the adapters; the model is what it was before. What adapting it froze is unfrozen. No
     * pass may be under way.
     *
     * @throws IllegalStateException if the adapters are no longer in the model
     */
    public void detach() {
        requireAttached();
        targets.values().forEach(Projection::detach);
        release();
    }

    private void release() {
        attached = false;
        frozen.forEach(parameter -> parameter.freeze(false));
    }

    private Map<String, LowRankAdapter> adapters() {
        requireAttached();
        Map<String, LowRankAdapter> all = new LinkedHashMap<>();
        targets.forEach((path, projection) -> all.put(path, projection.adapter().orElseThrow()));
        return all;
    }

    private void requireAttached() {
        if (!attached) {
            throw new IllegalStateException("These adapters were merged or detached");
        }
    }
}
