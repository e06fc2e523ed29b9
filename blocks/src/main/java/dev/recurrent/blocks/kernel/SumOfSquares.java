package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.List;

/** The sum of the squares of all elements of several tensors, in fp32 and a fixed order. */
public final class SumOfSquares {

    private static final KernelSource SOURCE = Sources.of("sum_of_squares.cu", "rows.cuh");
    private static final int LANES = 32;
    private static final int WARPS = 16;

    /** Of float32, 16 bytes. */
    private static final int MOST_PACK = 4;

    /** Loads of a thread that pay for its block's sum. */
    private static final int LEAST_PACKS = 4;

    /** Blocks of a multiprocessor, found by measuring. */
    private static final int BLOCKS = 8;

    private SumOfSquares() {}

    /**
     * Sums.
     *
     * @param device where the tensors lie
     * @param manager the manager that will own the result
     * @param tensors float32 or converted to it, at least one
     * @return float32 [1], on the device
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if a kernel cannot be compiled or launched
     */
    public static NDArray of(CudaDevice device, NDManager manager, List<NDArray> tensors) {
        Operand.requireSameDevice(tensors.get(0), tensors.toArray(NDArray[]::new));
        try (TensorScope scope = new TensorScope()) {
            long count = tensors.stream().mapToLong(tensor -> blocks(device, tensor)).sum();
            NDArray sums = allocate(manager, new Shape(count), tensors.get(0));
            long to = TensorMemory.address(sums);
            for (NDArray tensor : tensors) {
                int blocks = blocks(device, tensor);
                launchPart(device, Operand.wide(manager, tensor), blocks, to);
                to += (long) blocks * Float.BYTES;
            }
            NDArray total = allocate(manager, new Shape(1), tensors.get(0));
            device.kernel(SOURCE, constants(1), "total")
                    .launch(
                            new Kernel.Size(1, 1, WARPS * LANES, 1),
                            TensorMemory.address(sums),
                            TensorMemory.address(total),
                            count);
            return scope.pass(total);
        }
    }

    private static void launchPart(CudaDevice device, NDArray values, int blocks, long sums) {
        int pack = Packs.size(MOST_PACK, new long[] {values.size()}, values);
        device.kernel(SOURCE, constants(pack), "partial_squares")
                .launch(
                        new Kernel.Size(blocks, 1, WARPS * LANES, 1),
                        TensorMemory.address(values),
                        sums,
                        values.size());
    }

    private static int blocks(CudaDevice device, NDArray tensor) {
        long useful = (tensor.size() - 1) / ((long) WARPS * LANES * MOST_PACK * LEAST_PACKS) + 1;
        return (int) Math.min(useful, (long) BLOCKS * device.multiprocessors());
    }

    private static NDArray allocate(NDManager manager, Shape shape, NDArray like) {
        return Torch.empty(manager, shape, ScalarType.FLOAT32, like.getDevice());
    }

    private static Constants constants(int pack) {
        return Constants.none().with("VECTOR", pack).with("WARPS", WARPS);
    }
}
