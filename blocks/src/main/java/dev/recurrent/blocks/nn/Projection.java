package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.PairList;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.kernel.FewRowsKernel.Matrix;
import dev.recurrent.blocks.rule.LinearMap;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A linear map of known sizes: y = x·Wᵀ + b, with W [out, in] as PyTorch stores it.
 *
 * <p>It can carry a {@link LowRankAdapter}, a child block called {@code lora}, whose update is
 * added to y. Without one it has no children.
 */
public final class Projection extends SizedBlock {

    private final long inputs;
    private final long outputs;
    private final Parameter weight;
    private final Parameter bias;
    private LowRankAdapter adapter;

    /**
     * Constructs a projection.
     *
     * @param inputs in, the last dimension of x
     * @param outputs out, the last dimension of y
     * @param hasBias whether there is a b [out], starting at zero
     * @param initializer how W starts
     */
    public Projection(long inputs, long outputs, boolean hasBias, Initializer initializer) {
        this.inputs = inputs;
        this.outputs = outputs;
        weight = parameter("weight", Parameter.Type.WEIGHT, initializer, outputs, inputs);
        bias = hasBias ? parameter("bias", Parameter.Type.BIAS, Initializer.ZEROS, outputs) : null;
    }

    /** Returns W, [out, in]. */
    public Parameter weight() {
        return weight;
    }

    /** Returns the adapter, if there is one. */
    public Optional<LowRankAdapter> adapter() {
        return Optional.ofNullable(adapter);
    }

    /**
     * Adds an adapter. No pass may be under way.
     *
     * @param added an adapter of this projection's sizes
     * @throws IllegalStateException if there is one already
     * @throws IllegalArgumentException if its sizes are others
     */
    public void attach(LowRankAdapter added) {
        if (adapter != null) {
            throw new IllegalStateException("The projection has an adapter already");
        }
        if (!added.fits(inputs, outputs)) {
            throw new IllegalArgumentException(
                    "A projection "
                            + weight.getShape()
                            + " needs an adapter of its sizes, not B "
                            + added.b().getShape()
                            + " and A "
                            + added.a().getShape());
        }
        adapter = addChildBlock("lora", added);
    }

    /** Removes the adapter, if there is one, and frees it. No pass may be under way. */
    public void detach() {
        if (adapter != null) {
            children.clear();
            adapter.clear();
            adapter = null;
        }
    }

    /**
     * Adds the adapter's s·B·A to W, if there is an adapter, and removes it. y stays the same but
     * for rounding. No pass may be under way.
     */
    public void merge() {
        if (adapter != null) {
            adapter.addTo(weight.getArray());
            detach();
        }
    }

    /**
     * Applies the projection.
     *
     * @param store the parameters' store
     * @param x [..., in]
     * @param training whether gradients are wanted
     * @return [..., out]
     */
    public NDArray forward(ParameterStore store, NDArray x, boolean training) {
        Matrix matrix = matrix(store, x, training);
        if (adapter == null) {
            return LinearMap.apply(x, matrix)[0]; // [..., out]
        }
        try (TensorScope scope = new TensorScope()) {
            NDArray y = LinearMap.apply(x, matrix)[0]; // [..., out]
            return scope.pass(y.add(adapter.forward(store, x, training)));
        }
    }

    private Matrix matrix(ParameterStore store, NDArray x, boolean training) {
        return new Matrix(
                value(store, weight, x, training),
                bias == null ? null : value(store, bias, x, training));
    }

    /**
     * Applies the projection to what is computed for it alone. In training with kernels and without
     * an adapter, that is computed again in the backward pass.
     *
     * @param store the parameters' store
     * @param x [..., in]
     * @param training whether gradients are wanted
     * @return [..., out]
     */
    public NDArray forward(ParameterStore store, Intermediate x, boolean training) {
        Optional<NDArray> y = project(store, x, training);
        return y.isPresent() ? y.get() : forward(store, x.value(), training); // [..., out]
    }

    private Optional<NDArray> project(ParameterStore store, Intermediate x, boolean training) {
        if (adapter != null) {
            return Optional.empty();
        }
        Matrix matrix = matrix(store, x.like(), training);
        return x.project(matrix.weight(), matrix.bias());
    }

    /**
     * Adds what {@link #forward(ParameterStore, Intermediate, boolean)} makes of x to something.
     *
     * @param store the parameters' store
     * @param addend [..., out]
     * @param x [..., in]
     * @param training whether gradients are wanted
     * @return addend + y, [..., out]
     */
    public NDArray addTo(ParameterStore store, NDArray addend, Intermediate x, boolean training) {
        Optional<NDArray> y = project(store, x, training);
        if (y.isPresent()) {
            NDArray sum = addend.add(y.get());
            Tape.discard(y.get());
            return sum;
        }
        NDArray value = x.value();
        return adapter == null
                ? LinearMap.addTo(addend, value, matrix(store, value, training))
                : addend.add(forward(store, value, training));
    }

    /**
     * Applies several projections to one input.
     *
     * @param store the parameters' store
     * @param x [..., in]
     * @param training whether gradients are wanted
     * @param projections all of the same in; null stands for none
     * @return [..., out] of each, in their order; null where there is none
     */
    public static NDArray[] together(
            ParameterStore store, NDArray x, boolean training, Projection... projections) {
        List<Projection> there = Stream.of(projections).filter(Objects::nonNull).toList();
        Iterator<NDArray> results =
                isAdapted(there)
                        ? there.stream().map(one -> one.forward(store, x, training)).iterator()
                        : Stream.of(
                                        LinearMap.apply(
                                                x,
                                                there.stream()
                                                        .map(one -> one.matrix(store, x, training))
                                                        .toArray(Matrix[]::new)))
                                .iterator();
        return Stream.of(projections)
                .map(projection -> projection == null ? null : results.next())
                .toArray(NDArray[]::new);
    }

    /**
     * Gates one projection's y by another's.
     *
     * @param store the parameters' store
     * @param activation act
     * @param gate whose y goes through act
     * @param projection whose y is multiplied by that, of the same out
     * @param x [..., in]
     * @param training whether gradients are wanted
     * @return act(gate x) · projection x, [..., out]
     */
    public static Intermediate gated(
            ParameterStore store,
            Activation activation,
            Projection gate,
            Projection projection,
            NDArray x,
            boolean training) {
        if (!isAdapted(List.of(gate, projection))) {
            Optional<NDArray> gated =
                    GatedProduct.function(activation)
                            .flatMap(
                                    function ->
                                            LinearMap.gated(
                                                    function,
                                                    x,
                                                    gate.matrix(store, x, training),
                                                    projection.matrix(store, x, training)));
            if (gated.isPresent()) {
                return Intermediate.of(gated.get());
            }
        }
        NDArray[] both = together(store, x, training, gate, projection);
        return GatedProduct.of(activation, both[0], both[1]);
    }

    private static boolean isAdapted(List<Projection> projections) {
        return projections.stream().anyMatch(projection -> projection.adapter != null);
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            PairList<String, Object> params) {
        return new NDList(forward(store, single(inputs), training));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        Shape input = inputShapes[0];
        return new Shape[] {input.slice(0, input.dimension() - 1).add(outputs)};
    }
}
