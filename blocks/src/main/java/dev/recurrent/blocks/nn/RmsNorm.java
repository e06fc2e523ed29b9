package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.PairList;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.RmsNormOperation;
import dev.recurrent.blocks.kernel.RmsNormOperation.Form;
import dev.recurrent.blocks.kernel.RmsNormSettings;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Root-mean-square normalisation over the last dimension: w · x / √(mean(x²) + ε), computed in
 * fp32. What is returned has the {@link MatrixPrecision#activationType}: under mixed precision the
 * residual stream stays float32, and what projections read is bfloat16.
 *
 * <p>The weight is stored as it is ("plain", starting at 1) or minus one ("zero-centred", starting
 * at 0, as RecurrentGemma and Qwen3.5 do). On CUDA, {@link RmsNormOperation} does it in one pass,
 * with what is added before or multiplied after.
 */
public final class RmsNorm extends SizedBlock {

    private final long size;
    private final long groups;
    private final boolean zeroCentred;
    private final double epsilon;
    private final Parameter weight;

    /**
     * Constructs a norm over the whole last dimension.
     *
     * @param size the last dimension
     * @param config how it is computed
     */
    public RmsNorm(long size, NormConfig config) {
        this(size, 1, config);
    }

    /**
     * Constructs a norm whose mean is taken over each of several equal parts of the last dimension.
     *
     * @param size the last dimension
     * @param groups the number of parts
     * @param config how it is computed
     */
    public RmsNorm(long size, long groups, NormConfig config) {
        if (groups < 1 || size % groups != 0) {
            throw new IllegalArgumentException(
                    "A norm of size " + size + " cannot be split into " + groups + " groups");
        }
        this.size = size;
        this.groups = groups;
        this.zeroCentred = config.zeroCentred();
        this.epsilon = config.epsilon();
        weight =
                parameter(
                        "weight",
                        zeroCentred ? Parameter.Type.BETA : Parameter.Type.GAMMA,
                        zeroCentred ? Initializer.ZEROS : Initializer.ONES,
                        size);
    }

    /**
     * Normalises.
     *
     * @param store the parameters' store
     * @param x [..., size]
     * @param training whether gradients are wanted
     * @return [..., size]
     */
    public NDArray forward(ParameterStore store, NDArray x, boolean training) {
        return of(store, x, training).value();
    }

    /** As {@link #forward(ParameterStore, NDArray, boolean)}, yet to be computed. */
    public Intermediate of(ParameterStore store, NDArray x, boolean training) {
        NDArray w = value(store, weight, x, training);
        return intermediate(Form.PLAIN, () -> normalize(wide(x), w), x, w);
    }

    /**
     * Adds an update to the residual stream and normalises the sum.
     *
     * @param store the parameters' store
     * @param x the stream [..., size]
     * @param update of the same shape and any floating type
     * @param training whether gradients are wanted
     * @return the sum, rounded to x's type, and its norm
     */
    public Sum addThenForward(ParameterStore store, NDArray x, NDArray update, boolean training) {
        NDArray w = value(store, weight, x, training);
        Optional<CudaDevice> device = kernels(x, w, update);
        if (device.isPresent()) {
            NDArray[] results =
                    Tape.apply(
                            operation(device.get(), Form.ADD_THEN_NORM, result(x)), x, w, update);
            return new Sum(results[0], results[1]);
        }
        NDArray sum = Tape.join(Torch.cast(x.add(update), Torch.typeOf(x))); // [..., size]
        return new Sum(sum, forward(store, sum, training));
    }

    /**
     * The residual stream after an update.
     *
     * @param values the stream [..., size]
     * @param normed its norm [..., size]
     */
    public record Sum(NDArray values, NDArray normed) {}

    /**
     * Normalises, then gates: norm(x) · silu(gate), as Gated DeltaNet does.
     *
     * @param store the parameters' store
     * @param x [..., size]
     * @param gate [..., size], of any floating type
     * @param training whether gradients are wanted
     * @return [..., size], yet to be computed
     */
    public Intermediate forwardThenGate(
            ParameterStore store, NDArray x, NDArray gate, boolean training) {
        NDArray w = value(store, weight, x, training);
        Supplier<NDArray> portable = () -> normalize(wide(x), w).mul(Aten.silu(wide(gate)));
        return intermediate(Form.NORM_THEN_GATE, portable, x, w, gate);
    }

    /**
     * Gates, then normalises: norm(x · silu(gate)), as Mamba-2 does.
     *
     * @param store the parameters' store
     * @param x [..., size]
     * @param gate [..., size], of any floating type
     * @param training whether gradients are wanted
     * @return [..., size], yet to be computed
     */
    public Intermediate gateThenForward(
            ParameterStore store, NDArray x, NDArray gate, boolean training) {
        NDArray w = value(store, weight, x, training);
        Supplier<NDArray> portable = () -> normalize(wide(x).mul(Aten.silu(wide(gate))), w);
        return intermediate(Form.GATE_THEN_NORM, portable, x, w, gate);
    }

    /** The norm of inputs x [..., size], w and others. */
    private Intermediate intermediate(Form form, Supplier<NDArray> portable, NDArray... inputs) {
        NDArray x = inputs[0];
        ScalarType result = result(x);
        Optional<CudaDevice> device = kernels(x, Arrays.copyOfRange(inputs, 1, inputs.length));
        return new Intermediate(
                device.map(found -> () -> operation(found, form, result)),
                portable,
                x.getShape(),
                result,
                inputs);
    }

    private static ScalarType result(NDArray x) {
        return MatrixPrecision.current().activationType(x);
    }

    private Optional<CudaDevice> kernels(NDArray x, NDArray... others) {
        return RmsNormOperation.fits(size / groups) ? Kernels.taking(x, others) : Optional.empty();
    }

    private RmsNormOperation operation(CudaDevice device, Form form, ScalarType result) {
        RmsNormSettings settings = new RmsNormSettings(groups, zeroCentred, epsilon, result);
        return new RmsNormOperation(device, form, settings);
    }

    private static NDArray wide(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32);
    }

    /** Float32 [..., size] → the same. */
    private NDArray normalize(NDArray wide, NDArray w) {
        Shape shape = wide.getShape();
        NDArray parts = wide;
        if (groups > 1) {
            Shape grouped = shape.slice(0, shape.dimension() - 1).add(groups).add(size / groups);
            parts = wide.reshape(grouped); // [..., groups, size / groups]
        }
        NDArray mean = parts.mul(parts).mean(new int[] {-1}, true);
        NDArray normal = parts.mul(Aten.rsqrt(mean.add(Scalars.of(epsilon))));
        NDArray scale = zeroCentred ? w.add(Scalars.of(1)) : w; // [size]
        return (groups > 1 ? normal.reshape(shape) : normal).mul(scale);
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
        return inputShapes;
    }
}
