package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;

/**
 * Bounds values in place: c·tanh(x / c), rounded as PyTorch rounds the three operators. Autograd
 * records nothing of it.
 */
public final class SoftCapKernel {

    private static final KernelSource SOURCE = Sources.of("soft_cap.cu");

    private static final int THREADS = 256;
    private static final int PACK_BYTES = 16;

    private SoftCapKernel() {}

    /**
     * Returns whether the kernel knows a tensor's type and layout.
     *
     * @param x any tensor
     */
    public static boolean fits(NDArray x) {
        return Operand.isKnown(Torch.typeOf(x)) && TensorMemory.isContiguous(x);
    }

    /**
     * Bounds.
     *
     * @param device where the tensor lies
     * @param x as {@link #fits} wants it; overwritten
     * @param cap c, above 0
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static void apply(CudaDevice device, NDArray x, double cap) {
        int pack = Operand.neighbours(PACK_BYTES / Torch.typeOf(x).bytes(), x.size(), x);
        Constants constants = Constants.none().with("X_TYPE", Operand.type(x)).with("PACK", pack);
        long packs = x.size() / pack;
        int blocks = Math.toIntExact((packs + THREADS - 1) / THREADS);
        device.kernel(SOURCE, constants, "soft_cap")
                .launch(
                        new Kernel.Size(blocks, 1, THREADS, 1),
                        TensorMemory.address(x),
                        packs,
                        Float.floatToRawIntBits((float) cap),
                        Float.floatToRawIntBits(1 / (float) cap));
    }
}
