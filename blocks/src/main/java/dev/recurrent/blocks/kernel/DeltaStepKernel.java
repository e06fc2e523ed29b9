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
 * One token of the gated delta rule (arXiv 2412.06464, equation 10), which reads and writes the
 * state once, in place. Autograd records nothing of it.
 */
public final class DeltaStepKernel {

    private static final KernelSource SOURCE = Sources.of("delta_step.cu");

    private static final int LANES = 32;
    private static final int WARPS = 8;

    /** Groups of columns of a block. */
    private static final int GROUPS = 8;

    /** Rows of a state that a block reads at once. */
    private static final int ROWS = WARPS * LANES / GROUPS;

    /** Columns of a thread: 16 bytes. */
    private static final int ITEMS = 4;

    /** What a thread's registers hold of a column. */
    private static final int MOST_STEPS = 16;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private DeltaStepKernel() {}

    /**
     * Where β and g come from: values or a projection's logits, null for none.
     *
     * @param beta [B, 1, HV]
     * @param decay [B, 1, HV]
     * @param logits whether both are logits, with β = strength·σ(beta) and g = −exp(rate) ·
     *     softplus(decay + bias)
     * @param strength see there
     * @param rate float32 [HV]; null where decay is no logits
     * @param bias float32 [HV], likewise
     */
    public record Gates(
            NDArray beta,
            NDArray decay,
            boolean logits,
            double strength,
            NDArray rate,
            NDArray bias) {

        /** Gates that are values. */
        public static Gates of(NDArray beta, NDArray logDecay) {
            return new Gates(beta, logDecay, false, 1, null, null);
        }

        private int kind(NDArray gate) {
            int given = logits ? 2 : 1;
            return gate == null ? 0 : given;
        }
    }

    /** What the source is specialised on. */
    private record Variant(
            String x,
            String v,
            String gates,
            int keyDim,
            int items,
            int beta,
            int decay,
            boolean normalize,
            boolean resets) {

        Constants constants() {
            return Constants.none()
                    .with("X_TYPE", x)
                    .with("V_TYPE", v)
                    .with("G_TYPE", gates)
                    .with("K", keyDim)
                    .with("ITEMS", items)
                    .with("GROUPS", GROUPS)
                    .with("WARPS", WARPS)
                    .with("STEPS", (keyDim + ROWS - 1) / ROWS)
                    .with("BETA", beta)
                    .with("DECAY", decay)
                    .with("NORMALIZE", normalize ? 1 : 0)
                    .with("RESETS", resets ? 1 : 0);
        }
    }

    /**
     * Returns whether a block can hold its part of a state.
     *
     * @param state S, [B, HV, K, V]
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(NDArray state) {
        return state.getShape().get(2) <= ROWS * MOST_STEPS
                && Torch.typeOf(state) == ScalarType.FLOAT32
                && TensorMemory.isContiguous(state);
    }

    /**
     * Applies the rule to one token of every row. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param q [B, 1, H, K], of k's type; bfloat16 and float32 are read as they are
     * @param k [B, 1, H, K]
     * @param v [B, 1, HV, V]
     * @param gates β and g
     * @param normalize whether q and k are divided by their norms first
     * @param scale what outputs are multiplied by
     * @param state S, float32 [B, HV, K, V], which is overwritten by the new state
     * @param positions int64 [B, 1], where 0 begins with a state of zero; null if there is none
     * @return [B, 1, HV, V], of v's type, in v's manager
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static NDArray apply(
            CudaDevice device,
            NDArray q,
            NDArray k,
            NDArray v,
            Gates gates,
            boolean normalize,
            double scale,
            NDArray state,
            NDArray positions) {
        Operand.requireSameDevice(state, q, k, v, gates.beta(), gates.decay(), positions);
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = v.getManager();
            NDArray queries = heads(manager, q);
            NDArray keys = heads(manager, Torch.cast(manager, k, Torch.typeOf(queries)));
            NDArray values = heads(manager, v);
            NDArray beta = gates.beta() == null ? null : Operand.readable(manager, gates.beta());
            NDArray decay = gate(manager, gates.decay(), beta);
            NDArray places = Operand.dense(manager, positions);
            Shape shape = v.getShape();
            NDArray o = Torch.empty(manager, shape, Torch.typeOf(values), v.getDevice());
            int columns = Math.toIntExact(shape.get(3));
            Variant variant =
                    new Variant(
                            Operand.type(queries),
                            Operand.type(values),
                            beta == null && decay == null
                                    ? "float"
                                    : Operand.type(beta == null ? decay : beta),
                            Math.toIntExact(k.getShape().get(3)),
                            columns % ITEMS == 0 ? ITEMS : 1,
                            gates.kind(beta),
                            gates.kind(decay),
                            normalize,
                            positions != null);
            int width = GROUPS * variant.items();
            device.kernel(
                            SOURCE,
                            CONSTANTS.computeIfAbsent(variant, Variant::constants),
                            "delta_step")
                    .launchEarly(
                            new Kernel.Size(
                                    Math.toIntExact(shape.get(0) * shape.get(2)),
                                    (columns + width - 1) / width,
                                    LANES,
                                    WARPS),
                            TensorMemory.address(queries),
                            TensorMemory.address(keys),
                            TensorMemory.address(values),
                            Operand.address(beta),
                            Operand.address(decay),
                            Operand.address(Operand.wide(manager, gates.rate())),
                            Operand.address(Operand.wide(manager, gates.bias())),
                            Operand.address(places),
                            TensorMemory.address(state),
                            TensorMemory.address(o),
                            TensorMemory.strides(queries)[0],
                            TensorMemory.strides(keys)[0],
                            TensorMemory.strides(values)[0],
                            k.getShape().get(2),
                            shape.get(2),
                            columns,
                            Float.floatToRawIntBits((float) scale),
                            Float.floatToRawIntBits((float) gates.strength()));
            return scope.pass(Torch.cast(manager, o, Torch.typeOf(v)));
        }
    }

    /** The decay, of beta's type. */
    private static NDArray gate(NDManager manager, NDArray decay, NDArray beta) {
        if (decay == null) {
            return null;
        }
        return beta == null
                ? Operand.readable(manager, decay)
                : Operand.dense(manager, Torch.cast(manager, decay, Torch.typeOf(beta)));
    }

    /** A tensor [B, 1, H, n] as bfloat16 or float32, whose heads lie one behind the other. */
    private static NDArray heads(NDManager manager, NDArray array) {
        NDArray known = Operand.known(manager, array);
        long[] strides = TensorMemory.strides(known);
        long[] sizes = known.getShape().getShape();
        boolean dense =
                (sizes[3] == 1 || strides[3] == 1) && (sizes[2] == 1 || strides[2] == sizes[3]);
        // contiguous(Tensor self, *, MemoryFormat memory_format=contiguous_format)
        return dense ? known : Torch.call(manager, "aten::contiguous", known, 0);
    }
}
