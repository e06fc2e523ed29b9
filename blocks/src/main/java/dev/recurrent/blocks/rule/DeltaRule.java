package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.DeltaRuleOperation;
import dev.recurrent.blocks.kernel.DeltaStepKernel.Gates;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;

/**
 * The gated delta rule and its special cases: a matrix S [K, V] per head that forgets, corrects
 * what it holds under a key, and is read by a query,
 *
 * <pre>
 * S ← exp(g_t)·S
 * S ← S + k_t ⊗ β_t(v_t − Sᵀk_t)
 * o_t = scale·Sᵀq_t
 * </pre>
 *
 * (arXiv 2412.06464, equation 10). Without g it is the delta rule (arXiv 2406.06484); without β
 * nothing is corrected, S ← exp(g_t)·S + k_t ⊗ v_t, which is linear attention with a gate and the
 * state-space duality of Mamba-2 (arXiv 2405.21060: q = C, k = B, v = dt·x, g = dt·A, scale 1).
 *
 * <p>One token is computed as written; more are computed in chunks that work in parallel (arXiv
 * 2412.06464, section 3.3), by kernels on a device that has them unless autograd records without a
 * tape. Sums, exponentials and states are float32 whatever the inputs are.
 */
public final class DeltaRule {

    private DeltaRule() {}

    /**
     * What the rule returns.
     *
     * @param values o [B, T, HV, V], of v's type
     * @param state S after the last token, float32 [B, HV, K, V]
     */
    public record Output(NDArray values, NDArray state) {}

    /**
     * Applies the rule to T tokens. Value head i reads query and key head i / (HV/H). Padding must
     * stand at the ends of rows; it leaves the state as it is.
     *
     * @param q [B, T, H, K]
     * @param k [B, T, H, K]
     * @param v [B, T, HV, V], HV a multiple of H
     * @param beta β, how strongly a token corrects the state, [B, T, HV]; null for no correction
     * @param logDecay g, the logarithm of what is kept of the state, [B, T, HV]; null for zero
     * @param scale what outputs are multiplied by
     * @param state S before the first token, float32 [B, HV, K, V]; null for zero. It is not
     *     changed
     * @param positions [B, T], compact
     * @return the outputs and the state after them
     * @throws IllegalArgumentException if shapes do not fit each other or the positions, or padding
     *     stands before a token
     */
    public static Output apply(
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            double scale,
            NDArray state,
            Positions positions) {
        return new Call(q, k, v, beta, logDecay, scale, state, positions).run();
    }

    /**
     * Applies the rule as {@link #apply} does to a state that is no longer needed: one token of
     * every row, where nothing is recorded and there is a kernel, writes the new state over it.
     *
     * @return the outputs and the state after them, which may be {@code state} itself
     */
    public static Output update(
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            double scale,
            NDArray state,
            Positions positions) {
        DeltaSizes.check(q, k, v, beta, logDecay, state, positions);
        return DeltaStep.fits(state, positions, q, k, v, beta, logDecay)
                ? DeltaStep.apply(q, k, v, Gates.of(beta, logDecay), false, scale, state, positions)
                : apply(q, k, v, beta, logDecay, scale, state, positions);
    }

    /** The arguments of {@link #apply}. */
    private record Call(
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            double scale,
            NDArray state,
            Positions positions) {

        Output run() {
            DeltaSizes sizes = DeltaSizes.check(q, k, v, beta, logDecay, state, positions);
            NDArray seen = positions.startsFresh() ? null : state;
            Optional<CudaDevice> device = Kernels.taking(v, q, k, beta, logDecay, seen);
            boolean fits =
                    device.isPresent()
                            && sizes.time() > 1
                            && DeltaRuleOperation.fits(device.get(), q, k, v);
            return fits ? fused(device.get(), seen) : portable(sizes, seen);
        }

        private Output fused(CudaDevice device, NDArray seen) {
            NDArray marks = positions.isPlain() ? null : positions.array();
            DeltaRuleOperation operation = new DeltaRuleOperation(device, scale, marks);
            NDArray[] outputs = Tape.apply(operation, q, k, v, beta, logDecay, seen);
            return new Output(outputs[0], outputs[1]);
        }

        private Output portable(DeltaSizes sizes, NDArray seen) {
            NDArray keys = wide(k);
            NDArray strengths = beta == null ? null : wide(beta);
            NDArray decays = logDecay == null ? null : wide(logDecay);
            if (positions.isPadded()) {
                NDArray real = positions.real().expandDims(2); // [B, T, 1]
                decays = decays == null ? null : decays.mul(real);
                strengths = strengths == null ? null : strengths.mul(real);
                keys = beta == null ? keys.mul(real.expandDims(3)) : keys;
            }
            NDArray queries = wide(q).mul(Scalars.of(scale));
            NDArray values = wide(v);
            Output output =
                    sizes.time() == 1
                            ? step(sizes, queries, keys, values, strengths, decays, seen, positions)
                            : DeltaChunks.apply(
                                    sizes, queries, keys, values, strengths, decays, seen,
                                    positions);
            return new Output(Torch.cast(output.values(), Torch.typeOf(v)), output.state());
        }
    }

    private static Output step(
            DeltaSizes sizes,
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            NDArray state,
            Positions positions) {
        long b = sizes.batch();
        long h = sizes.heads();
        long g = sizes.group();
        Shape perHead = new Shape(b, h, g, 1, 1);
        NDArray query = q.reshape(b, h, 1, 1, sizes.keyDim());
        NDArray update = v.reshape(b, h, g, 1, sizes.valueDim());
        NDArray memory = null;
        if (state != null) {
            memory = state.reshape(b, h, g, sizes.keyDim(), sizes.valueDim());
            NDArray kept = logDecay == null ? null : logDecay.exp().reshape(perHead);
            if (positions.hasResets()) {
                NDArray continues = positions.continues().reshape(b, 1, 1, 1, 1);
                kept = kept == null ? continues : kept.mul(continues);
            }
            memory = kept == null ? memory : memory.mul(kept);
        }
        if (beta != null && memory != null) {
            NDArray held = k.reshape(b, h, 1, 1, sizes.keyDim()).matMul(memory);
            update = update.sub(held); // [B, H, HV/H, 1, V]
        }
        if (beta != null) {
            update = update.mul(beta.reshape(perHead));
        }
        NDArray next = k.reshape(b, h, 1, sizes.keyDim(), 1).mul(update); // [B, H, HV/H, K, V]
        if (memory != null) {
            // In place on a tensor that is nobody else's: states are large.
            next.addi(memory);
        }
        NDArray values = query.matMul(next); // [B, H, HV/H, 1, V]
        return new Output(
                values.reshape(b, 1, h * g, sizes.valueDim()),
                next.reshape(b, h * g, sizes.keyDim(), sizes.valueDim()));
    }

    private static NDArray wide(NDArray array) {
        return Torch.cast(array, ScalarType.FLOAT32);
    }
}
