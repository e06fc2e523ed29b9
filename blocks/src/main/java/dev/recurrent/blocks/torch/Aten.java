package dev.recurrent.blocks.torch;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;

/**
 * The ATen operators and short compositions that several rules and blocks share, typed. All are
 * recorded by autograd; results live in the manager of the first tensor unless one is named.
 */
public final class Aten {

    /** √(2/π), of the tanh form of GELU. */
    private static final double GELU_SCALE = Math.sqrt(2 / Math.PI);

    private static final double GELU_CUBIC = 0.044715;

    private Aten() {}

    /** x·σ(x). */
    public static NDArray silu(NDArray x) {
        return unary("aten::silu", x);
    }

    /** σ(x). */
    public static NDArray sigmoid(NDArray x) {
        return unary("aten::sigmoid", x);
    }

    /**
     * x·Wᵀ + b, multiplied in the thread's {@link MatrixPrecision}. DJL's own {@code linear} adds
     * the bias in a pass of its own.
     *
     * @param x [..., in]
     * @param weight W [out, in]
     * @param bias b [out]; null for none
     * @return [..., out], of x's type
     */
    public static NDArray linear(NDArray x, NDArray weight, NDArray bias) {
        ScalarType type = MatrixPrecision.current().type();
        if (type == null) {
            return Torch.call(x.getManager(), "aten::linear", x, weight, Torch.some(bias));
        }
        NDManager manager = x.getManager();
        NDArray product =
                Torch.call(
                        manager,
                        "aten::linear",
                        Torch.cast(manager, x, type),
                        ConvertedWeights.convert(manager, weight),
                        Torch.some(bias == null ? null : ConvertedWeights.convert(manager, bias)));
        return Torch.cast(product, Torch.typeOf(x)); // [..., out]
    }

    /**
     * x·W for each of several matrices, multiplied in the thread's {@link MatrixPrecision}.
     *
     * @param x [N, rows, in]
     * @param weight W [N, in, out]
     * @return [N, rows, out], of the type that is multiplied in
     */
    public static NDArray product(NDArray x, NDArray weight) {
        NDManager manager = x.getManager();
        // bmm(Tensor self, Tensor mat2)
        return Torch.call(
                manager,
                "aten::bmm",
                Torch.cast(manager, x, productType(x)),
                productWeight(manager, x, weight));
    }

    /** Returns the type that {@link #product} multiplies x in. */
    public static ScalarType productType(NDArray x) {
        ScalarType wanted = MatrixPrecision.current().type();
        return wanted == null ? Torch.typeOf(x) : wanted;
    }

    /**
     * Returns a weight as {@link #product} multiplies x with it.
     *
     * @param manager the manager that will own a conversion that is not kept
     * @param x what is multiplied
     * @param weight W
     * @return the weight itself if it has that type
     */
    public static NDArray productWeight(NDManager manager, NDArray x, NDArray weight) {
        return Torch.cast(manager, ConvertedWeights.convert(manager, weight), productType(x));
    }

    /**
     * Sets each element to zero with probability {@code rate} and divides the others by 1 − rate.
     *
     * @param x any tensor
     * @param rate in [0, 1)
     * @return the same shape
     */
    public static NDArray dropout(NDArray x, double rate) {
        // native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)
        NDArray[] results =
                Torch.callAll(x.getManager(), "aten::native_dropout", 2, x, rate, Torch.some(true));
        results[1].close();
        return results[0];
    }

    /** Sets all elements to zero in place. */
    public static void zero(NDArray x) {
        Torch.call(x.getManager(), "aten::zero_", x).close();
    }

    /** The same values, row by row in memory; x itself where they lie so already. */
    public static NDArray contiguous(NDArray x) {
        // contiguous(Tensor self, *, MemoryFormat memory_format=contiguous_format)
        return Torch.call(x.getManager(), "aten::contiguous", x, 0);
    }

    /** max(x, 0). */
    public static NDArray relu(NDArray x) {
        return unary("aten::relu", x);
    }

    /** 1/√x. */
    public static NDArray rsqrt(NDArray x) {
        return unary("aten::rsqrt", x);
    }

    /** log(1 + eˣ), through log σ(−x), which stays finite. */
    public static NDArray softplus(NDArray x) {
        return unary("aten::log_sigmoid", x.neg()).neg();
    }

    /** exp(x) for x &lt; 0, x + 1 above. */
    public static NDArray eluPlusOne(NDArray x) {
        return relu(x).add(x.minimum(Scalars.of(0)).exp());
    }

    /**
     * GELU in its tanh form, ½x(1 + tanh(√(2/π)(x + 0.044715x³))), written as x·σ(2√(2/π)(…)),
     * which is the same function.
     */
    public static NDArray geluTanh(NDArray x) {
        // In place where autograd needs no older value: fresh memory costs more than arithmetic.
        NDArray inner =
                x.mul(x)
                        .muli(Scalars.of(2 * GELU_SCALE * GELU_CUBIC))
                        .addi(Scalars.of(2 * GELU_SCALE))
                        .mul(x);
        Torch.call(x.getManager(), "aten::sigmoid_", inner).close();
        return inner.mul(x);
    }

    /**
     * Views a part of a tensor along one axis.
     *
     * @param x any tensor
     * @param axis which axis
     * @param start the first index
     * @param length how many
     * @return the view, whose size along the axis is {@code length}
     */
    public static NDArray narrow(NDArray x, int axis, long start, long length) {
        return narrow(x.getManager(), x, axis, start, length);
    }

    /** As {@link #narrow(NDArray, int, long, long)}, the view owned by {@code manager}. */
    public static NDArray narrow(NDManager manager, NDArray x, int axis, long start, long length) {
        // narrow(Tensor self, int dim, SymInt start, SymInt length)
        return Torch.call(manager, "aten::narrow", x, axis, start, length);
    }

    /**
     * Joins tensors along an axis.
     *
     * @param parts at least one
     * @param axis which axis
     * @return what they make up; the one tensor itself where there is only one
     */
    public static NDArray concat(NDList parts, int axis) {
        // DJL copies a list of one, and the copy has lost its graph.
        return parts.size() == 1 ? parts.get(0) : NDArrays.concat(parts, axis);
    }

    /**
     * Creates a tensor of zeros, of any type.
     *
     * @param manager the manager that will own it
     * @param shape its shape
     * @param type its element type
     * @param device where it lies
     * @return the tensor
     */
    public static NDArray zeros(NDManager manager, Shape shape, ScalarType type, Device device) {
        NDArray zeros = Torch.empty(manager, shape, type, device);
        zero(zeros);
        return zeros;
    }

    /**
     * Looks rows up in a table.
     *
     * @param manager owner of the result (not the table's, where it would leak)
     * @param table [rows, D]
     * @param ids int64 [...]
     * @return [..., D]
     */
    public static NDArray embedding(NDManager manager, NDArray table, NDArray ids) {
        // embedding(Tensor weight, Tensor indices, SymInt padding_idx, bool, bool sparse)
        return Torch.call(manager, "aten::embedding", table, ids, -1, false, false);
    }

    /**
     * Solves (I + L)·X = R for X, where L is strictly lower triangular.
     *
     * @param lower [..., C, C]; its diagonal and what is above are not read
     * @param right R [..., C, n]
     * @return X [..., C, n]
     */
    public static NDArray solveUnitLower(NDArray lower, NDArray right) {
        // linalg_solve_triangular(Tensor A, Tensor B, *, bool upper, bool left, bool unitriangular)
        return Torch.call(
                right.getManager(),
                "aten::linalg_solve_triangular",
                lower,
                right,
                false,
                true,
                true);
    }

    /**
     * Softmax attention by PyTorch's fused kernels.
     *
     * @param q [B, H, T, K]
     * @param k [B, H, S, K]; on CUDA, also [B, KV, S, K] with KV a divisor of H
     * @param v [B, H, S, V], likewise
     * @param mask bool, true = may look, or added to the scores; broadcasts to [B, H, T, S]; null
     *     for none
     * @param causal whether token t sees keys 0..t only; not together with a mask
     * @param scale what scores are multiplied by
     * @param dropout the share of weights that is dropped, in [0, 1)
     * @return [B, H, T, V]
     */
    public static NDArray attention(
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray mask,
            boolean causal,
            double scale,
            double dropout) {
        // scaled_dot_product_attention(q, k, v, Tensor? mask, float dropout, bool is_causal,
        //     *, float? scale, bool enable_gqa)
        return Torch.call(
                q.getManager(),
                "aten::scaled_dot_product_attention",
                q,
                k,
                v,
                Torch.some(mask),
                dropout,
                causal,
                Torch.some(scale),
                q.getShape().get(1) != k.getShape().get(1));
    }

    /** As the other, without dropout. */
    public static NDArray attention(
            NDArray q, NDArray k, NDArray v, NDArray mask, boolean causal, double scale) {
        return attention(q, k, v, mask, causal, scale, 0);
    }

    private static NDArray unary(String operator, NDArray x) {
        return Torch.call(x.getManager(), operator, x);
    }
}
