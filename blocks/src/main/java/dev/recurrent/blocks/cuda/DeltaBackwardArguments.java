package dev.recurrent.blocks.cuda;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.stream.Stream;

/**
 * What goes into the delta rule's backward, as the kernels read it: q, k, v and the gradient of the
 * outputs in one type, all else in float32.
 *
 * @param q [B, T, H, K]
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
        NDArray q,
        NDArray k,
        NDArray v,
        NDArray beta,
        NDArray logDecay,
        NDArray state,
        NDArray positions,
        NDArray values,
        NDArray lastState) {

    private static final int ALIGNMENT = 16;

    /** Returns these as kernels read them. Values may be null, for zero. */
    DeltaBackwardArguments readable() {
        NDManager manager = k.getManager();
        boolean narrow = layout().elementBytes() == Short.BYTES;
        ScalarType type = narrow ? ScalarType.BFLOAT16 : ScalarType.FLOAT32;
        NDArray gradient = values == null ? v.zerosLike() : values;
        return new DeltaBackwardArguments(
                as(type, q),
                as(type, k),
                as(type, v),
                Operand.wide(manager, beta),
                Operand.wide(manager, logDecay),
                Operand.wide(manager, state),
                Operand.dense(manager, positions),
                as(type, gradient),
                Operand.wide(manager, lastState));
    }

    private NDArray as(ScalarType type, NDArray array) {
        NDManager manager = k.getManager();
        return Operand.dense(manager, Torch.cast(manager, array, type));
    }

    /** Whether rows of q, k and v begin at multiples of 16 bytes. */
    boolean isAligned() {
        long width = layout().elementBytes();
        return Stream.of(q, k, v, values)
                .allMatch(
                        array ->
                                Torch.address(array) % ALIGNMENT == 0
                                        && array.getShape().get(3) * width % ALIGNMENT == 0);
    }

    DeltaBackwardLayout layout() {
        return DeltaBackwardLayout.of(q, k, v, beta != null);
    }

    int rows() {
        return size(k, 0);
    }

    int tokens() {
        return size(k, 1);
    }

    int heads() {
        return size(k, 2);
    }

    int valueHeads() {
        return size(v, 2);
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
        return allocate(Torch.typeOf(k), shape);
    }

    NDArray allocate(ScalarType type, long... shape) {
        return Torch.empty(k.getManager(), new Shape(shape), type, k.getDevice());
    }

    /** Returns a tensor like one of these; null for null. */
    NDArray like(NDArray array) {
        return array == null ? null : allocate(Torch.typeOf(array), array.getShape().getShape());
    }
}
