package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.Pair;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A block whose parameters' shapes are known when it is built, so that they can be counted,
 * compared and loaded without running anything.
 *
 * <p>Its typed {@code forward} methods close every intermediate tensor; only their results outlive
 * them, in the manager of their first argument.
 */
public abstract class SizedBlock extends AbstractBlock {

    /** Constructs a block without parameters or children. */
    protected SizedBlock() {
        super((byte) 1);
    }

    /**
     * Adds a parameter.
     *
     * @param name its name, as upstream checkpoints call it
     * @param type what DJL's trainer takes it for
     * @param initializer how it starts
     * @param shape its shape
     * @return the parameter
     */
    protected final Parameter parameter(
            String name, Parameter.Type type, Initializer initializer, long... shape) {
        return addParameter(
                Parameter.builder()
                        .setName(name)
                        .setType(type)
                        .optInitializer(initializer)
                        .optShape(new Shape(shape))
                        .build());
    }

    /**
     * Returns a parameter's tensor for a pass.
     *
     * @param store the store of the pass
     * @param parameter a parameter of this block
     * @param like a tensor on the device of the pass
     * @param training whether gradients are wanted
     * @return the tensor; it belongs to the block
     */
    protected static NDArray value(
            ParameterStore store, Parameter parameter, NDArray like, boolean training) {
        return store.getValue(parameter, like.getDevice(), training);
    }

    /**
     * Returns all parameters of a block by path, such as {@code layers.0.mixer.q_proj.weight}.
     *
     * @param block a block
     * @return paths and parameters in the block's order
     */
    public static Map<String, Parameter> parametersOf(Block block) {
        Map<String, Parameter> all = new LinkedHashMap<>();
        collect("", block, all);
        return all;
    }

    private static void collect(String prefix, Block block, Map<String, Parameter> all) {
        for (Pair<String, Parameter> pair : block.getDirectParameters()) {
            all.put(prefix + pair.getKey(), pair.getValue());
        }
        for (Pair<String, Block> pair : block.getChildren()) {
            collect(prefix + childName(pair.getKey()) + ".", pair.getValue(), all);
        }
    }

    /**
     * Returns all projections in a block by path, such as {@code layers.0.mixer.q_proj}.
     *
     * @param block a block
     * @return paths and projections in the block's order
     */
    public static Map<String, Projection> projectionsOf(Block block) {
        Map<String, Projection> all = new LinkedHashMap<>();
        collectProjections("", block, all);
        return all;
    }

    private static void collectProjections(String path, Block block, Map<String, Projection> all) {
        if (block instanceof Projection projection) {
            all.put(path, projection);
        }
        for (Pair<String, Block> pair : block.getChildren()) {
            String name = childName(pair.getKey());
            collectProjections(path.isEmpty() ? name : path + "." + name, pair.getValue(), all);
        }
    }

    /** DJL puts the child's index before its name: 01mixer. */
    private static String childName(String key) {
        return key.replaceFirst("^\\d+", "");
    }

    /** Returns the number of parameters, allocated or not. */
    public final long parameterCount() {
        return parametersOf(this).values().stream()
                .mapToLong(parameter -> parameter.getShape().size())
                .sum();
    }

    @Override
    public boolean isInitialized() {
        return parametersOf(this).values().stream().allMatch(Parameter::isInitialized);
    }

    @Override
    public void initialize(NDManager manager, DataType dataType, Shape... inputShapes) {
        beforeInitialize(inputShapes);
        for (Parameter parameter : parametersOf(this).values()) {
            parameter.initialize(manager, dataType);
        }
    }

    /** Returns the one tensor of {@code inputs}. */
    protected static NDArray single(NDList inputs) {
        if (inputs.size() != 1) {
            throw new IllegalArgumentException("Expected one input tensor, not " + inputs.size());
        }
        return inputs.singletonOrThrow();
    }
}
