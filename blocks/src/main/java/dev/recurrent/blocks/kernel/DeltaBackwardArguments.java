package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.util.stream.Stream;

/**
 * What goes into the delta rule's backward, as the kernels read it: q, k, v and the gradient of the
 * outputs in one type, all else in float32.
 *
 * @param q [B, T, H, K]; like k and v it may be a view of a wider tensor
 * @param k [B, T, H, K]
 * @param v [B, T, HV, V]
 * @param beta [B, T, HV], or null
 * @param logDecay [B, T, HV], or null
 * @param state before the first token, [B, HV, K, V], or null
 * @param positions int64 [B, T], or null
 * @param values the gradient of the outputs, [B, T, HV, V]
 * @param lastState the gradient of the state after the last token, [B, HV, K, V], or null
 */
record DeltaBackwardArguments(
        HeadRows q,
        HeadRows k,
        HeadRows v,
        NDArray beta,
        NDArray logDecay,
        NDArray state,
        NDArray positions,
        NDArray values,
        NDArray lastState) {

    private static final int ALIGNMENT = 16;

    /**
     * Makes tensors readable: in bfloat16 if q, k and v all are that, else in float32.
     *
     * @param values null for zero
     */
    static DeltaBackwardArguments of(
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            NDArray state,
            NDArray positions,
            NDArray values,
            NDArray lastState) {
        NDManager manager = k.getManager();
        ScalarType type = DeltaBackwardLayout.typeOf(q, k, v);
        NDArray gradient = values == null ? zerosLike(manager, v) : values;
        return new DeltaBackwardArguments(
                HeadRows.of(manager, q, type),
                HeadRows.of(manager, k, type),
                HeadRows.of(manager, v, type),
                Operand.wide(manager, beta),
                Operand.wide(manager, logDecay),
                Operand.wide(manager, state),
                Operand.dense(manager, positions),
                Operand.dense(manager, Torch.cast(manager, gradient, type)),
                Operand.wide(manager, lastState));
    }

    private static NDArray zerosLike(NDManager manager, NDArray array) {
        // zeros_like(Tensor self, *, ScalarType?, Layout?, Device?, bool?, MemoryFormat?)
        return Torch.call(manager, "aten::zeros_like", array, null, null, null, null, null);
    }

    /** Whether rows of q, k, v and the gradient begin at multiples of 16 bytes. */
    boolean isAligned() {
        return Stream.of(q, k, v).allMatch(HeadRows::isAligned)
                && TensorMemory.address(values) % ALIGNMENT == 0;
    }

    DeltaBackwardLayout layout() {
        return DeltaBackwardLayout.of(q.array(), k.array(), v.array(), beta != null);
    }

    int rows() {
        return size(k.array(), 0);
    }

    int tokens() {
        return size(k.array(), 1);
    }

    int heads() {
        return size(k.array(), 2);
    }

    int valueHeads() {
        return size(v.array(), 2);
    }

    /** C-token chunks of a row. */
    int chunks() {
        return DeltaBackwardLayout.ceilDiv(tokens(), DeltaBackwardLayout.CHUNK);
    }

    private static int size(NDArray array, int dimension) {
        return Math.toIntExact(array.getShape().get(dimension));
    }

    /** Returns a tensor of the kernels' type. */
    NDArray allocate(long... shape) {
        return allocate(Torch.typeOf(k.array()), shape);
    }

    NDArray allocate(ScalarType type, long... shape) {
        NDArray array = k.array();
        return Torch.empty(array.getManager(), new Shape(shape), type, array.getDevice());
    }

    /** Returns a tensor like one of these; null for null. */
    NDArray like(NDArray array) {
        return array == null ? null : allocate(Torch.typeOf(array), array.getShape().getShape());
    }
}
