package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;

/**
 * w · v / √(mean(v²) + ε) in its {@link Form}s, as one kernel forward and one backward, which
 * normalises again rather than keep anything. A second kernel adds up what blocks have of w's
 * gradient.
 */
public final class RmsNormOperation implements Operation {

    private final CudaDevice device;
    private final Form form;
    private final RmsNormSettings settings;
    private NDArray[] inputs;
    private NDArray sum;
    private ScalarType update;

    /** What is normalised, and what becomes of it. */
    public enum Form {
        /** x, w → norm(x). */
        PLAIN,
        /** x, w, gate → norm(x) · silu(gate). */
        NORM_THEN_GATE,
        /** x, w, gate → norm(x · silu(gate)). */
        GATE_THEN_NORM,
        /** x, w, update → x + update in x's type, and its norm. */
        ADD_THEN_NORM
    }

    /**
     * Constructs an operation on tensors x [..., size], w [size] and, by its form, another of x's
     * shape. bfloat16 and float32 are read as they are, other types are converted. A gate may be a
     * view whose rows are dense.
     *
     * @param device where the tensors lie
     * @param form what is computed
     * @param settings how it is normalised
     */
    public RmsNormOperation(CudaDevice device, Form form, RmsNormSettings settings) {
        this.device = device;
        this.form = form;
        this.settings = settings;
    }

    /**
     * Returns whether parts are short enough for a block to keep one.
     *
     * @param size of what the mean is taken over
     * @return whether the operation can be applied
     */
    public static boolean fits(long size) {
        return RmsNormKernel.fits(size);
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalArgumentException if shapes do not fit together, or tensors lie elsewhere
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    @Override
    public NDArray[] forward(NDArray... arrays) {
        inputs = arrays;
        try (TensorScope scope = new TensorScope()) {
            NDArray x = arrays[0];
            NDManager manager = x.getManager();
            RmsNormKernel.Output output = kernel(x, other()).forward();
            NDArray y = scope.pass(Torch.cast(manager, output.y(), settings.result()));
            if (form != Form.ADD_THEN_NORM) {
                return new NDArray[] {y};
            }
            NDArray total = scope.pass(Torch.cast(manager, output.sum(), Torch.typeOf(x)));
            update = Torch.typeOf(other());
            sum = scope.keep(Torch.detach(manager, total));
            return new NDArray[] {total, y};
        }
    }

    private NDArray other() {
        return form == Form.PLAIN ? null : inputs[2];
    }

    private RmsNormKernel kernel(NDArray x, NDArray other) {
        return new RmsNormKernel(device, form, settings, x, inputs[1], other);
    }

    /** Of what is added, the sum is enough. */
    @Override
    public boolean reads(int input) {
        return form != Form.ADD_THEN_NORM || input == 1;
    }

    /** {@inheritDoc} */
    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        try (TensorScope scope = new TensorScope()) {
            boolean adds = form == Form.ADD_THEN_NORM;
            boolean otherWanted = wanted.length > 2 && wanted[2];
            NDArray dy = gradients[adds ? 1 : 0];
            if (dy == null) {
                return new NDArray[] {share(scope, gradients[0]), null, share(scope, gradients[0])};
            }
            NDArray[] results =
                    adds
                            ? kernel(sum, null)
                                    .backward(dy, gradients[0], update, wanted[1], otherWanted)
                            : kernel(inputs[0], other())
                                    .backward(dy, null, null, wanted[1], otherWanted);
            for (NDArray result : results) {
                if (result != null) {
                    scope.pass(result);
                }
            }
            if (adds && otherWanted && results[2] == null) {
                results[2] = share(scope, results[0]);
            }
            return results;
        }
    }

    /** The caller closes each gradient by itself. */
    private static NDArray share(TensorScope scope, NDArray gradient) {
        return scope.pass(Torch.share(gradient.getManager(), gradient));
    }

    @Override
    public void close() {
        if (sum != null) {
            sum.close();
        }
    }
}
