package dev.recurrent.blocks.torch;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import java.util.function.Supplier;

/**
 * The element type in which projections multiply on the current thread ("automatic mixed
 * precision"): parameters, sums and states stay fp32; {@link Aten#linear} converts its operands,
 * multiplies and converts back. Autograd records the conversions, so the products of the backward
 * pass have the same type and gradients of parameters arrive in fp32. With {@link #BFLOAT16} norms
 * hand activations on in bfloat16, so that products have nothing to convert.
 *
 * <p>What a block returns then can be bfloat16. DJL computes with it, but cannot read it: from a
 * GPU {@code toFloatArray}, {@code toType} and {@code toDevice} end the JVM inside DJL's native
 * code. {@link Torch#cast} makes it float32. Sessions, Predictors and trainers return what DJL can
 * read.
 */
public enum MatrixPrecision {
    /** Products in the operands' own type. */
    FULL(null),
    /** Products in bfloat16, which has fp32's range: no loss scaling is needed. */
    BFLOAT16(ScalarType.BFLOAT16),
    /** Products in float16, whose range asks for loss scaling in training. */
    FLOAT16(ScalarType.FLOAT16);

    private static final ThreadLocal<MatrixPrecision> CURRENT = ThreadLocal.withInitial(() -> FULL);

    private final ScalarType type;

    MatrixPrecision(ScalarType type) {
        this.type = type;
    }

    /** Ends the use of a precision, on the thread that began it. */
    public interface Use extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * Returns what serves on a device where nobody chose.
     *
     * @param device any device
     * @return {@link #BFLOAT16} on GPUs, which multiply it many times as fast, else {@link #FULL}
     */
    public static MatrixPrecision usual(Device device) {
        return device.isGpu() ? BFLOAT16 : FULL;
    }

    /** Returns what holds on this thread. */
    public static MatrixPrecision current() {
        return CURRENT.get();
    }

    /** Makes this precision hold on this thread until the result is closed. */
    public Use use() {
        MatrixPrecision before = CURRENT.get();
        CURRENT.set(this);
        return () -> CURRENT.set(before);
    }

    /** Runs something in this precision. */
    public <T> T during(Supplier<T> work) {
        Use use = use();
        try {
            return work.get();
        } finally {
            use.close();
        }
    }

    /** Returns the type to multiply in; null for the operands' own. */
    public ScalarType type() {
        return type;
    }

    /**
     * Returns the type of activations between products: bfloat16 stays, so that what only products
     * read is written in it; float16's range is too small for gradients that no product has scaled.
     *
     * @param x what an activation is computed from
     * @return bfloat16 in {@link #BFLOAT16}, else x's type
     */
    public ScalarType activationType(NDArray x) {
        return this == BFLOAT16 ? type : Torch.typeOf(x);
    }
}
