package dev.recurrent.blocks.cuda;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** w · x / √(mean(x²) + ε) as one kernel that reads x once. Autograd records nothing of it. */
public final class RmsNormKernel {

    private static final KernelSource SOURCE = KernelSource.of("rms_norm.cu");

    private static final int LANES = 32;
    private static final int MOST_WARPS = 32;

    /** Elements a thread where the row is long enough: loads under way at a time. */
    private static final int ITEMS = 8;

    /** What the registers of a thread of the largest block hold. */
    private static final int MOST_ITEMS = 16;

    /** How many parts share a block where each takes one warp. */
    private static final int PARTS_OF_A_WARP = 8;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private RmsNormKernel() {}

    /** What the source is specialised on. */
    private record Variant(String x, String weight, int items, int warps, boolean centred) {

        static Variant of(NDArray x, NDArray weight, int size, boolean centred) {
            int warps = Math.min(MOST_WARPS, ceilDiv(size, ITEMS * LANES));
            int items = ceilDiv(size, warps * LANES);
            return new Variant(Operand.type(x), Operand.type(weight), items, warps, centred);
        }

        int partsOfBlock() {
            return warps == 1 ? PARTS_OF_A_WARP : 1;
        }

        Constants constants() {
            return Constants.none()
                    .with("X_TYPE", x)
                    .with("W_TYPE", weight)
                    .with("ITEMS", items)
                    .with("WARPS", warps)
                    .with("PARTS", partsOfBlock())
                    .with("CENTRED", centred ? 1 : 0);
        }
    }

    private static int ceilDiv(long dividend, int divisor) {
        return Math.toIntExact((dividend + divisor - 1) / divisor);
    }

    /**
     * Returns whether rows are short enough for a block to keep one.
     *
     * @param size of what the mean is taken over
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(long size) {
        return size <= MOST_WARPS * LANES * MOST_ITEMS;
    }

    /**
     * Normalises.
     *
     * @param device where the tensors lie
     * @param x [..., size]; bfloat16 and float32 are read as they are, other types are converted
     * @param weight w [size], likewise
     * @param parts how many equal parts of the last dimension have a mean of their own
     * @param centred whether weights are stored minus one
     * @param epsilon ε
     * @return [..., size], of x's type, in x's manager
     * @throws IllegalArgumentException if x does not end in the weight's size, or lies elsewhere
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static NDArray apply(
            CudaDevice device,
            NDArray x,
            NDArray weight,
            long parts,
            boolean centred,
            double epsilon) {
        Operand.requireSameDevice(x, weight);
        Shape shape = x.getShape();
        if (shape.dimension() == 0 || shape.get(shape.dimension() - 1) != weight.size()) {
            throw new IllegalArgumentException(
                    "x " + shape + " must end in the weight's " + weight.size());
        }
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = x.getManager();
            NDArray input = Operand.readable(manager, x);
            NDArray w = Operand.readable(manager, weight);
            NDArray y = Torch.empty(manager, shape, Torch.typeOf(input), x.getDevice());
            int size = Math.toIntExact(weight.size() / parts);
            long total = x.size() / size;
            Variant variant = Variant.of(input, w, size, centred);
            int blocks = ceilDiv(total, variant.partsOfBlock());
            device.kernel(
                            SOURCE,
                            CONSTANTS.computeIfAbsent(variant, Variant::constants),
                            "rms_norm")
                    .launch(
                            new Kernel.Size(
                                    blocks, 1, variant.warps() * LANES, variant.partsOfBlock()),
                            Torch.address(input),
                            Torch.address(w),
                            Torch.address(y),
                            total,
                            size,
                            parts,
                            Float.floatToRawIntBits((float) epsilon));
            return scope.pass(Torch.cast(manager, y, Torch.typeOf(x)));
        }
    }
}
