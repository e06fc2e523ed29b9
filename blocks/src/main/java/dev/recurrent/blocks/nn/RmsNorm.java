package dev.recurrent.blocks.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.PairList;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.cuda.RmsNormKernel;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;

/**
 * Root-mean-square normalisation over the last dimension: w · x / √(mean(x²) + ε), computed in
 * fp32.
 *
 * <p>The weight is stored as it is ("plain", starting at 1) or minus one ("zero-centred", starting
 * at 0, as RecurrentGemma and Qwen3.5 do). On CUDA tensors that autograd does not record, {@link
 * RmsNormKernel} does it in one pass.
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
     * @return [..., size], of x's type
     */
    public NDArray forward(ParameterStore store, NDArray x, boolean training) {
        NDArray w = value(store, weight, x, training);
        Optional<CudaDevice> device = Kernels.on(x.getDevice());
        if (device.isPresent()
                && RmsNormKernel.fits(size / groups)
                && !GradientMode.records(x, w)) {
            return RmsNormKernel.apply(device.get(), x, w, groups, zeroCentred, epsilon);
        }
        NDArray scale = zeroCentred ? w.add(Scalars.of(1)) : w; // [size]
        return Torch.cast(normalize(x).mul(scale), Torch.typeOf(x));
    }

    /**
     * Normalises, then gates: norm(x) · silu(gate), as Gated DeltaNet does.
     *
     * @param store the parameters' store
     * @param x [..., size]
     * @param gate [..., size]
     * @param training whether gradients are wanted
     * @return [..., size]
     */
    public NDArray forwardThenGate(
            ParameterStore store, NDArray x, NDArray gate, boolean training) {
        return forward(store, x, training).mul(Aten.silu(gate));
    }

    /**
     * Gates, then normalises: norm(x · silu(gate)), as Mamba-2 does.
     *
     * @param store the parameters' store
     * @param x [..., size]
     * @param gate [..., size]
     * @param training whether gradients are wanted
     * @return [..., size]
     */
    public NDArray gateThenForward(
            ParameterStore store, NDArray x, NDArray gate, boolean training) {
        return forward(store, x.mul(Aten.silu(gate)), training);
    }

    private NDArray normalize(NDArray x) {
        NDArray wide = Torch.cast(x, ScalarType.FLOAT32);
        Shape shape = wide.getShape();
        if (groups > 1) {
            Shape grouped = shape.slice(0, shape.dimension() - 1).add(groups).add(size / groups);
            wide = wide.reshape(grouped); // [..., groups, size / groups]
        }
        NDArray mean = wide.mul(wide).mean(new int[] {-1}, true);
        NDArray normal = wide.mul(Aten.rsqrt(mean.add(Scalars.of(epsilon))));
        return groups > 1 ? normal.reshape(shape) : normal; // [..., size]
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
