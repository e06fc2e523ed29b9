package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.ConvolutionHeads;
import dev.recurrent.blocks.kernel.ShortConvolutionOperation;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;

/**
 * What the delta rule reads (arXiv 2406.06484, section 4; {@code fla.layers.DeltaNet}): queries,
 * keys and values from one {@link ShortConvolution} through SiLU, with q / √(Σq² + ε) and k / √(Σk²
 * + ε) per head, in fp32.
 *
 * <p>On CUDA tensors {@link ShortConvolutionOperation} reads x once and writes the three as they
 * are wanted.
 */
public final class QueryKeyValue {

    /** Keeps the norm of a vector of zeros finite, as upstream. */
    private static final double EPSILON = 1e-6;

    private QueryKeyValue() {}

    /**
     * How the channels are made up of queries [H, K], keys [H, K] and values [HV, V], in this
     * order.
     *
     * @param heads H
     * @param keyDim K
     * @param valueHeads HV
     * @param valueDim V
     */
    public record Heads(long heads, long keyDim, long valueHeads, long valueDim) {

        /** Returns the channels of queries, and of keys. */
        long keys() {
            return heads * keyDim;
        }

        /** Returns the channels of values. */
        long values() {
            return valueHeads * valueDim;
        }
    }

    /**
     * What the rule reads, of x's type.
     *
     * @param queries [B, T, H, K]
     * @param keys [B, T, H, K]
     * @param values [B, T, HV, V]
     * @param state of the convolution, [B, W−1, 2·H·K + HV·V]
     */
    public record Output(NDArray queries, NDArray keys, NDArray values, NDArray state) {}

    /**
     * Convolves, activates, splits and normalises. A token sees only tokens of its own document.
     *
     * @param x [B, T, 2·H·K + HV·V]
     * @param weight [2·H·K + HV·V, 1, W], the current token's tap last
     * @param bias [2·H·K + HV·V]; null for none
     * @param state of the tokens before, as returned by an earlier call; null for none
     * @param positions [B, T], compact
     * @param heads what x is made up of
     * @return queries, keys and values, unspecified at padding, and the new state, in x's manager
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public static Output apply(
            NDArray x,
            NDArray weight,
            NDArray bias,
            NDArray state,
            Positions positions,
            Heads heads) {
        ShortConvolution.check(x, weight, bias, state, positions);
        if (x.getShape().get(2) != 2 * heads.keys() + heads.values()) {
            throw new IllegalArgumentException(
                    "x " + x.getShape() + " must end in the channels of " + heads);
        }
        ConvolutionHeads layout =
                new ConvolutionHeads(
                        heads.heads(), heads.keyDim(), heads.valueHeads(), heads.valueDim());
        NDArray before = positions.startsFresh() ? null : state;
        Optional<CudaDevice> device =
                layout.fits() ? Kernels.taking(x, weight, bias, before) : Optional.empty();
        return device.isPresent()
                ? fused(device.get(), x, weight, bias, before, positions, layout)
                : portable(x, weight, bias, before, positions, heads);
    }

    private static Output fused(
            CudaDevice device,
            NDArray x,
            NDArray weight,
            NDArray bias,
            NDArray before,
            Positions positions,
            ConvolutionHeads heads) {
        NDArray[] outputs =
                Tape.apply(
                        ShortConvolution.operation(device, true, heads, positions),
                        x,
                        weight,
                        bias,
                        before);
        ScalarType type = Torch.typeOf(x);
        return new Output(
                Torch.cast(outputs[0], type),
                Torch.cast(outputs[1], type),
                Torch.cast(outputs[2], type),
                Torch.cast(outputs[3], type));
    }

    private static Output portable(
            NDArray x,
            NDArray weight,
            NDArray bias,
            NDArray before,
            Positions positions,
            Heads heads) {
        ShortConvolution.Output convolved =
                ShortConvolution.apply(x, weight, bias, before, positions, true);
        NDArray all = convolved.values();
        Shape rows = all.getShape().slice(0, 2);
        Shape pairs = rows.add(2 * heads.heads()).add(heads.keyDim());
        NDArray qk = normalize(Aten.narrow(all, 2, 0, 2 * heads.keys()).reshape(pairs));
        NDArray v = Aten.narrow(all, 2, 2 * heads.keys(), heads.values());
        return new Output(
                Aten.narrow(qk, 2, 0, heads.heads()),
                Aten.narrow(qk, 2, heads.heads(), heads.heads()),
                v.reshape(rows.add(heads.valueHeads()).add(heads.valueDim())),
                convolved.state());
    }

    /**
     * Divides by the length, in float32.
     *
     * @param heads [B, T, H, K]
     * @return x / √(Σx² + 1e-6) of every head, [B, T, H, K], of the same type
     */
    public static NDArray normalize(NDArray heads) {
        NDArray wide = Torch.cast(heads, ScalarType.FLOAT32);
        NDArray squares = wide.mul(wide).sum(new int[] {3}, true); // [B, T, 2·H, 1]
        NDArray normal = wide.mul(Aten.rsqrt(squares.add(Scalars.of(EPSILON))));
        return Torch.cast(normal, Torch.typeOf(heads));
    }
}
