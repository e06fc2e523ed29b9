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
 * One token of the RG-LRU, the products of its gates and what gates its output included ({@code
 * gated_recurrence_step.cu}): weights are read once, at the memory's speed, and the memory is
 * overwritten in place. Products of bfloat16 weights round u to bfloat16; sums are fp32 and reach
 * the sigmoid unrounded. Autograd records nothing of it.
 */
public final class GatedRecurrenceStepKernel {

    private static final KernelSource SOURCE =
            Sources.of(
                    "gated_recurrence_step.cu",
                    "special_functions.cuh",
                    "pointwise.cuh",
                    "rg_lru.cuh",
                    "tensor_core.cuh");

    private static final int LANES = 32;
    private static final int WARPS = 16;

    /** Bytes of a row of weights that a block reads. */
    private static final int BLOCK_BYTES = 64;

    /** What loads take at a time. */
    private static final int LOAD_BYTES = 16;

    /** Rows of weights that a block's warps have under way in one piece each. */
    private static final int ROWS_UNDER_WAY = 16 * WARPS;

    /** Rows of u: what tensor cores take at least, and at most here. */
    private static final int LEAST_ROWS = 8;

    private static final int MOST_ROWS = 16;

    /** Rows of u whose sums registers hold beside float32 weights. */
    private static final int MOST_ROWS_WIDE = 8;

    /** Floats between the sums of two rows, as in the source. */
    private static final int ROW_SPAN = 80;

    private static final int ROW_SPAN_WIDE = LANES;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private GatedRecurrenceStepKernel() {}

    /**
     * What a gate is computed by.
     *
     * @param weight W, block-diagonal [blocks, in, out], in = out = E / blocks
     * @param bias b, E elements in the order of the blocks
     */
    public record Gate(NDArray weight, NDArray bias) {}

    /** What the source is specialised on. */
    private record Variant(
            String u,
            String parameters,
            String y,
            boolean wide,
            int size,
            boolean gated,
            int rows) {

        /** Two pieces, where there are so many rows of weights and registers for them. */
        private int ahead() {
            return size > ROWS_UNDER_WAY && !(wide && rows == MOST_ROWS_WIDE) ? 2 : 1;
        }

        int slices() {
            int outputs = BLOCK_BYTES / (wide ? ScalarType.FLOAT32 : ScalarType.BFLOAT16).bytes();
            return (size + outputs - 1) / outputs;
        }

        int sharedBytes() {
            return WARPS * rows * (wide ? ROW_SPAN_WIDE : ROW_SPAN) * Float.BYTES;
        }

        Constants constants() {
            return Constants.none()
                    .with("U_TYPE", u)
                    .with("P_TYPE", parameters)
                    .with("Y_TYPE", y)
                    .with("WIDE", wide ? 1 : 0)
                    .with("SIZE", size)
                    .with("GATED", gated ? 1 : 0)
                    .with("ROWS", rows)
                    .with("WARPS", WARPS)
                    .with("AHEAD", ahead());
        }
    }

    /**
     * Returns whether the kernel is for such a unit.
     *
     * @param u [B, 1, E]
     * @param size E / blocks
     * @param type the type of the weights
     * @param memory [B, E]
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(NDArray u, long size, ScalarType type, NDArray memory) {
        return Operand.isKnown(type)
                && size % (LOAD_BYTES / type.bytes()) == 0
                && Operand.isKnown(Torch.typeOf(u))
                && Torch.typeOf(memory) == ScalarType.FLOAT32
                && TensorMemory.isContiguous(memory);
    }

    /**
     * Runs one token of every row. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param u [B, 1, E]
     * @param input the input gate, its weight bfloat16 or float32
     * @param recurrent the recurrent gate, its weight of the same type
     * @param lambda Λ [E]
     * @param outputGate g [B, 1, E], which may be a part of a wider tensor; null for none
     * @param memory h, float32 [B, E], overwritten by the new h
     * @param positions int64 [B, 1], where 0 starts a document and −1 leaves the memory alone; null
     *     if all rows continue
     * @return gelu(g)·h of g's type, h having been rounded to u's, or h of u's type: [B, 1, E],
     *     unspecified at padding, in u's manager
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static NDArray apply(
            CudaDevice device,
            NDArray u,
            Gate input,
            Gate recurrent,
            NDArray lambda,
            NDArray outputGate,
            NDArray memory,
            NDArray positions) {
        Operand.requireSameDevice(
                u,
                input.weight(),
                recurrent.weight(),
                input.bias(),
                recurrent.bias(),
                lambda,
                outputGate,
                memory,
                positions);
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = u.getManager();
            NDArray known = Operand.aligned(manager, Operand.dense(manager, u));
            NDArray[] weights = {
                Operand.aligned(manager, Operand.dense(manager, input.weight())),
                Operand.aligned(manager, Operand.dense(manager, recurrent.weight()))
            };
            NDArray[] parameters =
                    Operand.readableAlike(manager, input.bias(), recurrent.bias(), lambda);
            NDArray gate =
                    outputGate == null
                            ? null
                            : Operand.denseRows(manager, Operand.known(manager, outputGate));
            NDArray places = Operand.dense(manager, positions);
            Shape shape = u.getShape();
            long width = shape.get(2);
            NDArray like = gate == null ? known : gate;
            NDArray y = Torch.empty(manager, shape, Torch.typeOf(like), u.getDevice());
            Variant variant =
                    new Variant(
                            Operand.type(known),
                            Operand.type(parameters[2]),
                            Operand.type(like),
                            Operand.isWide(weights[0]),
                            Math.toIntExact(input.weight().getShape().get(2)),
                            gate != null,
                            rows(shape.get(0), Operand.isWide(weights[0])));
            long blocks = input.weight().getShape().get(0);
            device.kernel(
                            SOURCE,
                            CONSTANTS.computeIfAbsent(variant, Variant::constants),
                            "gated_recurrence_step")
                    .launchEarly(
                            new Kernel.Size(
                                    Math.toIntExact(blocks * variant.slices()),
                                    Math.toIntExact(
                                            (shape.get(0) + variant.rows() - 1) / variant.rows()),
                                    LANES,
                                    WARPS,
                                    variant.sharedBytes()),
                            TensorMemory.address(known),
                            TensorMemory.address(weights[0]),
                            TensorMemory.address(weights[1]),
                            TensorMemory.address(parameters[0]),
                            TensorMemory.address(parameters[1]),
                            TensorMemory.address(parameters[2]),
                            Operand.address(gate),
                            Operand.address(places),
                            TensorMemory.address(memory),
                            TensorMemory.address(y),
                            gate == null ? 0 : TensorMemory.strides(gate)[0],
                            shape.get(0),
                            width);
            NDArray wanted = outputGate == null ? u : outputGate;
            return scope.pass(Torch.cast(manager, y, Torch.typeOf(wanted)));
        }
    }

    /** Rows of u that a block takes: few, since sums of rows that there are not cost time too. */
    private static int rows(long batch, boolean wide) {
        int rows = wide ? 1 : LEAST_ROWS;
        while (rows < batch && rows < (wide ? MOST_ROWS_WIDE : MOST_ROWS)) {
            rows *= 2;
        }
        return rows;
    }
}
