package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.RotaryKernel;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.Optional;

/**
 * Rotary position embedding (arXiv 2104.09864) in the half-split layout of GPT-NeoX and Hugging
 * Face transformers: of the first R dimensions of a head, dimension i and dimension i + R/2 form a
 * plane that is rotated by position · θ^(−2i/R).
 */
public final class RotaryEmbedding {

    private RotaryEmbedding() {}

    /** What distinguishes one table of a pass from another. */
    private record Table(boolean sine, long headDim, long rotaryDim, double theta) {}

    /**
     * Rotates heads, in fp32. Where there is no kernel for it, tables of cosines and sines are
     * computed once a pass. Recorded on a tape, it is an operation (see {@link
     * dev.recurrent.blocks.autograd.Tape}): what two rotations have in common must be joined.
     *
     * @param x [B, T, H, K]
     * @param positions [B, T]
     * @param rotaryDim R, how many leading dimensions of each head are rotated: even, at most K; 0
     *     for none
     * @param theta the base of the wavelengths
     * @return [B, T, H, K], of x's type
     * @throws IllegalArgumentException if x is not [B, T, H, K] or R does not fit
     */
    public static NDArray apply(NDArray x, Positions positions, long rotaryDim, double theta) {
        check(x, positions, rotaryDim);
        if (rotaryDim == 0) {
            return x;
        }
        Optional<CudaDevice> device = Kernels.taking(x);
        if (device.isPresent()) {
            return RotaryKernel.apply(device.get(), x, positions.array(), rotaryDim, theta);
        }
        long headDim = x.getShape().get(3);
        NDArray cosines = table(positions, new Table(false, headDim, rotaryDim, theta));
        NDArray sines = table(positions, new Table(true, headDim, rotaryDim, theta));
        NDArray wide = Torch.cast(x, ScalarType.FLOAT32);
        NDArray rotated = wide.mul(cosines).add(swapHalves(wide, rotaryDim).mul(sines));
        return Torch.cast(rotated, Torch.typeOf(x)); // [B, T, H, K]
    }

    /** Exchanges dimensions [0, R/2) and [R/2, R) of each head. */
    private static NDArray swapHalves(NDArray x, long rotaryDim) {
        long half = rotaryDim / 2;
        long rest = x.getShape().get(3) - rotaryDim;
        NDList parts = new NDList(Aten.narrow(x, 3, half, half), Aten.narrow(x, 3, 0, half));
        if (rest > 0) {
            parts.add(Aten.narrow(x, 3, rotaryDim, rest));
        }
        return NDArrays.concat(parts, 3);
    }

    private static NDArray table(Positions positions, Table table) {
        return positions.derive(table, () -> create(positions, table));
    }

    /**
     * Cosines, or sines with the sign of the half they belong to, as one factor for each dimension:
     * [B, T, 1, K]. Dimensions that are not rotated have angle 0.
     */
    private static NDArray create(Positions positions, Table table) {
        NDManager manager = positions.manager();
        int headDim = Math.toIntExact(table.headDim);
        NDArray frequencies =
                manager.create(frequencies(headDim, table), new Shape(1, 1, 1, headDim));
        NDArray position =
                Torch.cast(positions.array(), ScalarType.FLOAT32)
                        .reshape(positions.batch(), positions.length(), 1, 1);
        NDArray angles = position.mul(frequencies); // [B, T, 1, K]
        if (!table.sine) {
            return angles.cos();
        }
        float[] signs = new float[headDim];
        Arrays.fill(signs, 1);
        Arrays.fill(signs, 0, Math.toIntExact(table.rotaryDim / 2), -1);
        return angles.sin().mul(manager.create(signs));
    }

    private static float[] frequencies(int headDim, Table table) {
        float[] frequencies = new float[headDim];
        int half = Math.toIntExact(table.rotaryDim / 2);
        for (int i = 0; i < half; i++) {
            frequencies[i] = (float) Math.pow(table.theta, -2.0 * i / table.rotaryDim);
            frequencies[i + half] = frequencies[i];
        }
        return frequencies;
    }

    private static void check(NDArray x, Positions positions, long rotaryDim) {
        Shape shape = x.getShape();
        boolean fits =
                shape.dimension() == 4
                        && shape.get(0) == positions.batch()
                        && shape.get(1) == positions.length();
        if (!fits) {
            throw new IllegalArgumentException(
                    String.format(
                            "Rotary embedding expects x [%d, %d, H, K], not %s",
                            positions.batch(), positions.length(), shape));
        }
        if (rotaryDim < 0 || rotaryDim % 2 != 0 || rotaryDim > shape.get(3)) {
            throw new IllegalArgumentException(
                    "rotaryDim must be even and in [0, "
                            + shape.get(3)
                            + "], the head dimension, not "
                            + rotaryDim);
        }
    }
}
