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
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * x·Wᵀ + b for as few rows as decoding has: W is read once, at the memory's speed. Products of
 * bfloat16 weights round x to bfloat16; sums are fp32. Autograd records nothing of it.
 */
public final class FewRowsKernel {

    private static final KernelSource SOURCE = Sources.of("few_rows.cu", "tensor_core.cuh");

    private static final int LANES = 32;

    /** Of a block that shares a multiprocessor with others, in rows of tiles. */
    private static final int[] WARPS = {16, 8};

    /** Of a block that has a multiprocessor to itself. */
    private static final int MOST_WARPS = 32;

    private static final int WARPS_WIDE = 8;

    /** Loads of weights that a thread has under way: fewer in more warps. */
    private static final int LOADS = 8;

    private static final int FEWER_LOADS = 4;

    /** Beyond, tensor cores want tiles through shared memory, which the library has. */
    private static final int MOST_ROWS = 16;

    /** Beyond, fp32 arithmetic outlasts the reading. */
    private static final int MOST_ROWS_WIDE = 4;

    /** Rows that one product of the tensor cores has. */
    private static final int TILE_ROWS = 8;

    /** Of a block that reads bfloat16. */
    private static final int OUTPUTS = 16;

    /** Rows up to which a warp that reads fp32 weights has one output, which reads them best. */
    private static final int ROWS_OF_ONE_OUTPUT = 2;

    /** What loads of weights take at a time. */
    private static final int ALIGNMENT = 16;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private FewRowsKernel() {}

    /** What the source is specialised on; loads are those of each of a thread's weight rows. */
    private record Variant(
            String x, String bias, int rows, boolean wide, int warps, int loads, int outputs) {

        static Variant of(CudaDevice device, NDArray x, NDArray weight, NDArray bias, int rows) {
            String biasType = bias == null ? "float" : Operand.type(bias);
            if (Torch.typeOf(weight) == ScalarType.FLOAT32) {
                int outputs = rows <= ROWS_OF_ONE_OUTPUT ? 1 : 2;
                return new Variant(
                        Operand.type(x),
                        biasType,
                        rows,
                        true,
                        WARPS_WIDE,
                        LOADS / outputs,
                        outputs);
            }
            int tiles = rows > TILE_ROWS ? 2 : 1;
            boolean alone = weight.getShape().get(0) <= (long) OUTPUTS * device.multiprocessors();
            return new Variant(
                    Operand.type(x),
                    biasType,
                    tiles * TILE_ROWS,
                    false,
                    alone ? MOST_WARPS : WARPS[tiles - 1],
                    (alone ? FEWER_LOADS : LOADS) / 2,
                    OUTPUTS);
        }

        int outputsOfBlock() {
            return wide ? warps * outputs : outputs;
        }

        Constants constants() {
            Constants constants =
                    Constants.none()
                            .with("X_TYPE", x)
                            .with("B_TYPE", bias)
                            .with("ROWS", rows)
                            .with("WIDE", wide ? 1 : 0)
                            .with("WARPS", warps)
                            .with("AHEAD", loads);
            return wide ? constants.with("OUTPUTS", outputs) : constants;
        }
    }

    /**
     * Returns whether the kernel is for such a product.
     *
     * @param rows how many rows x has, all but its last dimension together
     * @param inputs the last dimension of x
     * @param type the type of the weights
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(long rows, long inputs, ScalarType type) {
        return switch (type) {
            case BFLOAT16 -> rows <= MOST_ROWS && inputs % 8 == 0;
            case FLOAT32 -> rows <= MOST_ROWS_WIDE && inputs % 4 == 0;
            default -> false;
        };
    }

    /**
     * Multiplies.
     *
     * @param device where the tensors lie
     * @param x [..., in]; bfloat16 and float32 are read as they are, other types are converted
     * @param weight W [out, in], bfloat16 or float32
     * @param bias b [out]; null for none
     * @return [..., out], of x's type, in x's manager
     * @throws IllegalArgumentException if shapes do not fit, or the tensors lie on several devices
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static NDArray apply(CudaDevice device, NDArray x, NDArray weight, NDArray bias) {
        Operand.requireSameDevice(x, weight, bias);
        Shape shape = x.getShape();
        Shape sizes = weight.getShape();
        long in = sizes.get(1);
        long out = sizes.get(0);
        long rows = x.size() / in;
        if (shape.get(shape.dimension() - 1) != in
                || !fits(rows, in, Torch.typeOf(weight))
                || (bias != null && bias.size() != out)) {
            throw new IllegalArgumentException(
                    "x " + shape + " is not for weights " + Torch.typeOf(weight) + sizes);
        }
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = x.getManager();
            NDArray input = aligned(manager, Operand.readable(manager, x));
            NDArray w = aligned(manager, Operand.dense(manager, weight));
            NDArray b = bias == null ? null : Operand.readable(manager, bias);
            Shape result = shape.slice(0, shape.dimension() - 1).add(out);
            NDArray y = Torch.empty(manager, result, Torch.typeOf(input), x.getDevice());
            Variant variant = Variant.of(device, input, w, b, Math.toIntExact(rows));
            long perBlock = variant.outputsOfBlock();
            device.kernel(
                            SOURCE,
                            CONSTANTS.computeIfAbsent(variant, Variant::constants),
                            "few_rows")
                    .launch(
                            new Kernel.Size(
                                    Math.toIntExact((out + perBlock - 1) / perBlock),
                                    1,
                                    LANES,
                                    variant.warps()),
                            TensorMemory.address(input),
                            TensorMemory.address(w),
                            Operand.address(b),
                            TensorMemory.address(y),
                            rows,
                            in,
                            out);
            return scope.pass(Torch.cast(manager, y, Torch.typeOf(x)));
        }
    }

    /** A view may begin anywhere. */
    private static NDArray aligned(NDManager manager, NDArray array) {
        // clone(Tensor self, *, MemoryFormat? memory_format)
        return TensorMemory.address(array) % ALIGNMENT == 0
                ? array
                : Torch.call(manager, "aten::clone", array, null);
    }
}
