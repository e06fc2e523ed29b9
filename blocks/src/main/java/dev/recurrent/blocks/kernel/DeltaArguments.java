package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.stream.Stream;

/**
 * What goes into the delta rule's forward, readable.
 *
 * @param q [B, T, H, K], of one type with k and v
 * @param k [B, T, H, K]
 * @param v [B, T, HV, V]
 * @param beta [B, T, HV]; null for no correction
 * @param logDecay [B, T, HV]; null for zero
 * @param state float32 [B, HV, K, V]; null for zero
 * @param positions int64 [B, T]; null if no token starts a document or is padding
 */
record DeltaArguments(
        HeadRows q,
        HeadRows k,
        HeadRows v,
        NDArray beta,
        NDArray logDecay,
        NDArray state,
        NDArray positions) {

    /** Makes tensors readable; what has to be made for it belongs to {@code manager}. */
    static DeltaArguments of(
            NDManager manager,
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            NDArray state,
            NDArray positions) {
        ScalarType type = typeOf(q, k, v);
        return new DeltaArguments(
                HeadRows.of(manager, q, type),
                HeadRows.of(manager, k, type),
                HeadRows.of(manager, v, type),
                beta == null ? null : Operand.readable(manager, beta),
                logDecay == null ? null : Operand.readable(manager, logDecay),
                Operand.wide(manager, state),
                Operand.dense(manager, positions));
    }

    /** Returns bfloat16 if all tensors are that, else float32. */
    static ScalarType typeOf(NDArray... arrays) {
        boolean narrow =
                Stream.of(arrays).allMatch(array -> Torch.typeOf(array) == ScalarType.BFLOAT16);
        return narrow ? ScalarType.BFLOAT16 : ScalarType.FLOAT32;
    }

    /** Returns the type of q, k and v. */
    ScalarType type() {
        return Torch.typeOf(k.array());
    }

    /** Returns whether rows of q, k and v begin at multiples of 16 bytes. */
    boolean isAligned() {
        return Stream.of(q, k, v).allMatch(HeadRows::isAligned);
    }
}
