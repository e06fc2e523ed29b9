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
 * The gated delta rule and its special cases over chunks of tokens as two kernels (arXiv
 * 2412.06464, section 3.3): what chunks are for themselves, all at once; then the states, which
 * pass through the chunks in registers while outputs are computed. In memory there is of that two
 * [C, C] a chunk, and no state. Autograd records nothing of it.
 */
public final class DeltaRuleKernel {

    private static final KernelSource CHUNKS =
            Sources.of("delta_chunks.cu", "tensor_core.cuh", "tiles.cuh");
    private static final KernelSource SCAN =
            Sources.of("delta_scan.cu", "tensor_core.cuh", "tiles.cuh");

    /** Factors of a token that the first kernel hands to the second. */
    private static final int FACTORS = 3;

    private static final Map<DeltaVariant, Constants> CHUNK_CONSTANTS = new ConcurrentHashMap<>();
    private static final Map<DeltaVariant, Constants> SCAN_CONSTANTS = new ConcurrentHashMap<>();

    private final CudaDevice device;
    private final DeltaArguments arguments;
    private final int scale;
    private final int rows;
    private final int tokens;
    private final int heads;
    private final int valueHeads;
    private final int keyDim;
    private final int valueDim;
    private final DeltaVariant variant;

    private DeltaRuleKernel(CudaDevice device, DeltaArguments arguments, double scale) {
        this.device = device;
        this.arguments = arguments;
        this.scale = Float.floatToRawIntBits((float) scale);
        Shape keys = arguments.k().array().getShape();
        Shape values = arguments.v().array().getShape();
        rows = Math.toIntExact(keys.get(0));
        tokens = Math.toIntExact(keys.get(1));
        heads = Math.toIntExact(keys.get(2));
        keyDim = Math.toIntExact(keys.get(3));
        valueHeads = Math.toIntExact(values.get(2));
        valueDim = Math.toIntExact(values.get(3));
        variant = DeltaVariant.of(plan(device, arguments.type(), keys, values), arguments);
    }

    /**
     * What the kernels return.
     *
     * @param values o [B, T, HV, V], of v's type; unspecified at padding
     * @param state S after the last token, float32 [B, HV, K, V]
     */
    public record Output(NDArray values, NDArray state) {}

    private static DeltaPlan plan(CudaDevice device, ScalarType type, Shape keys, Shape values) {
        return DeltaPlan.of(
                type.bytes(),
                keys.get(3),
                values.get(3),
                keys.get(0) * values.get(2),
                device.multiprocessors(),
                device.mostSharedBytes());
    }

    /**
     * Returns whether there is room for the operands on a device: K is at most 256, less where
     * multiprocessors have little shared memory.
     *
     * @param device any device
     * @param q [B, T, H, K]
     * @param k [B, T, H, K]
     * @param v [B, T, HV, V]
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(CudaDevice device, NDArray q, NDArray k, NDArray v) {
        return plan(device, DeltaArguments.typeOf(q, k, v), k.getShape(), v.getShape()) != null;
    }

    /**
     * Runs the rule. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param q [B, T, H, K]; read in bfloat16 if k and v are that too, else in float32. Like k and
     *     v it may be a view of a wider tensor
     * @param k [B, T, H, K]
     * @param v [B, T, HV, V], HV a multiple of H
     * @param beta β, [B, T, HV]; null for no correction
     * @param logDecay g, at most zero, [B, T, HV]; null for zero
     * @param scale what outputs are multiplied by
     * @param state before the first token, [B, HV, K, V]; null for zero
     * @param positions int64 [B, T], 0 where the state is emptied, −1 at padding, which ends rows;
     *     null if neither occurs
     * @return the outputs and the state after them, in v's manager
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if a kernel cannot be compiled or launched
     */
    public static Output apply(
            CudaDevice device,
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            double scale,
            NDArray state,
            NDArray positions) {
        Operand.requireSameDevice(k, q, v, beta, logDecay, state, positions);
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = v.getManager();
            DeltaArguments arguments =
                    DeltaArguments.of(manager, q, k, v, beta, logDecay, state, positions);
            Output output = new DeltaRuleKernel(device, arguments, scale).run();
            NDArray values = Torch.cast(manager, output.values(), Torch.typeOf(v));
            return new Output(scope.pass(values), scope.pass(output.state()));
        }
    }

    private Output run() {
        int chunk = DeltaPlan.CHUNK;
        long all = (long) rows * valueHeads * DeltaPlan.ceilDiv(tokens, chunk);
        NDArray scores = allocate(arguments.type(), all, chunk, chunk);
        NDArray transforms =
                variant.corrects() ? allocate(arguments.type(), all, chunk, chunk) : null;
        NDArray factors = allocate(ScalarType.FLOAT32, all, FACTORS, chunk);
        prepare(Math.toIntExact(all), transforms, scores, factors);
        return scan(transforms, scores, factors);
    }

    private void prepare(int blocks, NDArray transforms, NDArray scores, NDArray factors) {
        HeadRows q = arguments.q();
        HeadRows k = arguments.k();
        DeltaPlan plan = variant.plan();
        device.kernel(
                        CHUNKS,
                        CHUNK_CONSTANTS.computeIfAbsent(variant, DeltaVariant::chunks),
                        "delta_chunks")
                .launch(
                        new Kernel.Size(blocks, 1, DeltaPlan.chunkThreads(), 1, plan.chunkBytes()),
                        TensorMemory.address(q.array()),
                        TensorMemory.address(k.array()),
                        Operand.address(arguments.beta()),
                        Operand.address(arguments.logDecay()),
                        Operand.address(arguments.positions()),
                        Operand.address(transforms),
                        TensorMemory.address(scores),
                        TensorMemory.address(factors),
                        q.row(),
                        q.token(),
                        q.head(),
                        k.row(),
                        k.token(),
                        k.head(),
                        tokens,
                        heads,
                        valueHeads,
                        keyDim,
                        scale);
    }

    private Output scan(NDArray transforms, NDArray scores, NDArray factors) {
        HeadRows q = arguments.q();
        HeadRows k = arguments.k();
        HeadRows v = arguments.v();
        DeltaPlan plan = variant.plan();
        Output output =
                new Output(
                        allocate(arguments.type(), rows, tokens, valueHeads, valueDim),
                        allocate(ScalarType.FLOAT32, rows, valueHeads, keyDim, valueDim));
        int blocks = Math.toIntExact((long) rows * valueHeads * plan.slices(valueDim));
        device.kernel(
                        SCAN,
                        SCAN_CONSTANTS.computeIfAbsent(variant, DeltaVariant::scan),
                        "delta_scan")
                .launch(
                        new Kernel.Size(blocks, 1, plan.scanThreads(), 1, plan.scanBytes()),
                        TensorMemory.address(q.array()),
                        TensorMemory.address(k.array()),
                        TensorMemory.address(v.array()),
                        Operand.address(transforms),
                        TensorMemory.address(scores),
                        TensorMemory.address(factors),
                        Operand.address(arguments.state()),
                        TensorMemory.address(output.values()),
                        TensorMemory.address(output.state()),
                        q.row(),
                        q.token(),
                        q.head(),
                        k.row(),
                        k.token(),
                        k.head(),
                        v.row(),
                        v.token(),
                        v.head(),
                        tokens,
                        heads,
                        valueHeads,
                        keyDim,
                        valueDim,
                        scale);
        return output;
    }

    private NDArray allocate(ScalarType type, long... shape) {
        NDArray v = arguments.v().array();
        return Torch.empty(v.getManager(), new Shape(shape), type, v.getDevice());
    }
}
