package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;

/**
 * The gated delta rule and its special cases as kernels over chunks of tokens, forward and
 * backward. It keeps its inputs alone: the backward computes states again, which in memory are far
 * larger than tokens.
 *
 * <p>Inputs are q, k, v, β, g and the state, as {@link DeltaRuleKernel#apply} describes them, of
 * which the last three may be null; outputs are o and the state after the last token.
 */
public final class DeltaRuleOperation implements Operation {

    private final CudaDevice device;
    private final double scale;
    private final NDArray positions;
    private NDArray[] inputs;

    /**
     * Constructs an operation.
     *
     * @param device where the tensors lie
     * @param scale what outputs are multiplied by
     * @param positions int64 [B, T], 0 where the state is emptied, −1 at padding, which stands at
     *     the ends of rows; null if neither occurs. It may be closed before the operation
     */
    public DeltaRuleOperation(CudaDevice device, double scale, NDArray positions) {
        this.device = device;
        this.scale = scale;
        this.positions = positions == null ? null : own(positions);
    }

    private static NDArray own(NDArray array) {
        try (TensorScope scope = new TensorScope()) {
            return scope.keep(Torch.share(array.getManager(), array));
        }
    }

    /**
     * Returns whether there is room for the operands on a device.
     *
     * @param device any device
     * @param q [B, T, H, K]
     * @param k [B, T, H, K]
     * @param v [B, T, HV, V]
     * @return whether the operation can be applied
     */
    public static boolean fits(CudaDevice device, NDArray q, NDArray k, NDArray v) {
        return DeltaRuleKernel.fits(device, q, k, v)
                && DeltaRuleBackwardKernel.fits(device, q, k, v);
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if a kernel cannot be compiled or launched
     */
    @Override
    public NDArray[] forward(NDArray... arrays) {
        inputs = arrays;
        DeltaRuleKernel.Output output =
                DeltaRuleKernel.apply(
                        device, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], scale,
                        arrays[5], positions);
        return new NDArray[] {output.values(), output.state()};
    }

    /** {@inheritDoc} */
    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        return DeltaRuleBackwardKernel.apply(
                        device,
                        inputs[0],
                        inputs[1],
                        inputs[2],
                        inputs[3],
                        inputs[4],
                        scale,
                        inputs[5],
                        positions,
                        gradients[0],
                        gradients[1])
                .toArray();
    }

    @Override
    public void close() {
        if (positions != null) {
            positions.close();
        }
    }
}
