package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The gradients of the gated delta rule and its special cases from what it was given, as four
 * kernels over chunks of 64 tokens: what each chunk is for itself, states from the first chunk to
 * the last, their gradients from the last to the first, and all else for all chunks at once. States
 * between chunks are kept in the type of q, k and v. Autograd records nothing of it.
 */
public final class DeltaRuleBackwardKernel {

    private static final int MOST_KEY_DIM = 256;
    private static final int MOST_STATES = 65535;

    private DeltaRuleBackwardKernel() {}

    /**
     * The gradients.
     *
     * @param q [B, T, H, K], bfloat16 if q, k and v all are, else float32
     * @param k [B, T, H, K], likewise
     * @param v [B, T, HV, V], likewise
     * @param beta float32 [B, T, HV]; null if there was none
     * @param logDecay float32 [B, T, HV]; null if there was none
     * @param state float32 [B, HV, K, V]; null if there was none
     */
    public record Gradients(
            NDArray q, NDArray k, NDArray v, NDArray beta, NDArray logDecay, NDArray state) {

        /** Returns them in order, null for those that are not there. */
        public NDArray[] toArray() {
            return new NDArray[] {q, k, v, beta, logDecay, state};
        }
    }

    /**
     * Returns whether there is room for the operands on a device: K is at most 256, and less where
     * multiprocessors have little shared memory.
     *
     * @param device any device
     * @param q [B, T, H, K]
     * @param k [B, T, H, K]
     * @param v [B, T, HV, V]
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(CudaDevice device, NDArray q, NDArray k, NDArray v) {
        long states = k.getShape().get(0) * v.getShape().get(2);
        return k.getShape().get(3) <= MOST_KEY_DIM
                && states <= MOST_STATES
                && DeltaBackwardPlan.of(DeltaBackwardLayout.of(q, k, v, true), (int) states, device)
                        .isPresent();
    }

    /**
     * Computes the gradients. Those of padding are zero.
     *
     * @param device where the tensors lie
     * @param q [B, T, H, K]; read in bfloat16 if q, k and v all are that, else in float32. Like k
     *     and v it may be a view of a wider tensor
     * @param k [B, T, H, K], likewise
     * @param v [B, T, HV, V], likewise; HV is a multiple of H
     * @param beta β, [B, T, HV]; null for no correction
     * @param logDecay g, [B, T, HV]; null for zero
     * @param scale what outputs were multiplied by
     * @param state before the first token, [B, HV, K, V]; null for zero
     * @param positions int64 [B, T], 0 where the state is emptied, −1 at padding, which stands at
     *     the ends of rows; null if neither occurs
     * @param values the gradient of the outputs, [B, T, HV, V]; null for zero
     * @param lastState the gradient of the state after the last token, [B, HV, K, V]; null for zero
     * @return the gradients, in k's manager
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if a kernel cannot be compiled or launched
     */
    public static Gradients apply(
            CudaDevice device,
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            double scale,
            NDArray state,
            NDArray positions,
            NDArray values,
            NDArray lastState) {
        Operand.requireSameDevice(k, q, v, beta, logDecay, state, positions, values, lastState);
        try (TensorScope scope = new TensorScope()) {
            DeltaBackwardArguments given =
                    DeltaBackwardArguments.of(
                            q, k, v, beta, logDecay, state, positions, values, lastState);
            Gradients gradients = new DeltaBackwardPass(device, given, scale).run();
            Stream.of(gradients.toArray()).filter(Objects::nonNull).forEach(scope::pass);
            return gradients;
        }
    }
}
