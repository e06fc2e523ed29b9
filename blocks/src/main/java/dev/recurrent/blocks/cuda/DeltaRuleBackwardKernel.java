package dev.recurrent.blocks.cuda;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * The gradients of the gated delta rule and its special cases from what it was given, as four
 * kernels over chunks of 64 tokens: what each chunk is for itself, states from the first chunk to
 * the last, their gradients from the last to the first, and all else for all chunks at once. States
 * between chunks are kept in the type of q, k and v. Autograd records nothing of it.
 */
public final class DeltaRuleBackwardKernel {

    private static final int MOST_KEY_DIM = 256;
    private static final int MOST_STATES = 65535;
    private static final int PREPARE_THREADS = 128;

    private static final KernelSource PREPARE = source("prepare");
    private static final KernelSource STATES = source("states");
    private static final KernelSource VALUES = source("values");
    private static final KernelSource INPUTS = source("inputs");

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private final CudaDevice device;
    private final DeltaBackwardArguments given;
    private final DeltaBackwardLayout layout;
    private final DeltaBackwardPlan plan;
    private final Constants constants;
    private final int tokens;
    private final int heads;
    private final int group;
    private final int chunks;
    private final int states;
    private final int scale;
    private final NDArray scores;
    private final NDArray inverses;
    private final NDArray factors;
    private final NDArray entering;
    private final NDArray leaving;
    private final NDArray residuals;
    private final Gradients gradients;

    private DeltaRuleBackwardKernel(CudaDevice device, DeltaBackwardArguments given, double scale) {
        this.device = device;
        this.given = given;
        this.scale = Float.floatToRawIntBits((float) scale);
        tokens = given.tokens();
        heads = given.heads();
        group = given.valueHeads() / heads;
        chunks = given.chunks();
        states = given.rows() * given.valueHeads();
        layout = given.layout();
        plan = plan(device, layout, states).orElseThrow();
        Variant variant =
                new Variant(layout, plan, given.logDecay() != null, given.isAligned(), group > 1);
        constants = CONSTANTS.computeIfAbsent(variant, Variant::constants);
        long triangle = (long) DeltaBackwardLayout.TRIANGLE_ROWS * DeltaBackwardLayout.TILE;
        scores = given.allocate(states, chunks, triangle);
        inverses = layout.corrects() ? given.allocate(states, chunks, triangle) : null;
        factors = given.allocate(ScalarType.FLOAT32, states, chunks, DeltaBackwardLayout.FACTORS);
        entering = given.allocate(states, chunks, layout.values(), layout.keys());
        leaving = given.like(entering);
        residuals = layout.corrects() ? given.like(given.v()) : given.v();
        gradients =
                new Gradients(
                        given.like(given.q()),
                        given.like(given.k()),
                        given.like(given.v()),
                        given.like(given.beta()),
                        given.like(given.logDecay()),
                        given.like(given.state()));
    }

    /**
     * The gradients.
     *
     * @param q [B, T, H, K], bfloat16 if q, k and v all are, else float32
     * @param k [B, T, H, K], likewise
     * @param v [B, T, HV, V], likewise
     * @param beta float32 [B, T, HV]; null if there was none
     * @param logDecay float32 [B, T, HV]; null if there was none
     * @param state float32 [B, HV, K, V]; null if there was none
     */
    public record Gradients(
            NDArray q, NDArray k, NDArray v, NDArray beta, NDArray logDecay, NDArray state) {

        /** Returns them in order, null for those that are not there. */
        public NDArray[] toArray() {
            return new NDArray[] {q, k, v, beta, logDecay, state};
        }
    }

    /** What the sources are specialised on. */
    private record Variant(
            DeltaBackwardLayout layout,
            DeltaBackwardPlan plan,
            boolean decays,
            boolean aligned,
            boolean grouped) {

        Constants constants() {
            return Constants.none()
                    .with("TYPE", layout.type())
                    .with("KEY_DIM", layout.keyDim())
                    .with("VALUE_DIM", layout.valueDim())
                    .with("BETA", layout.corrects() ? 1 : 0)
                    .with("DECAY", decays ? 1 : 0)
                    .with("ALIGNED", aligned ? 1 : 0)
                    .with("GROUPED", grouped ? 1 : 0)
                    .with("WARPS", plan.warps())
                    .with("LOADERS", plan.loaders())
                    .with("STAGES", plan.stages())
                    .with("PANEL", plan.panel())
                    .with("RING", plan.ring());
        }
    }

    private static KernelSource source(String part) {
        return KernelSource.of(
                "delta_backward_" + part + ".cu",
                "tensor_core.cuh",
                "tiles.cuh",
                "delta_backward.cuh");
    }

    private static Optional<DeltaBackwardPlan> plan(
            CudaDevice device, DeltaBackwardLayout layout, int states) {
        return DeltaBackwardPlan.of(
                layout, states, device.multiprocessors(), device.mostSharedBytes());
    }

    /**
     * Returns whether there is room for the operands on a device: K is at most 256, and less where
     * multiprocessors have little shared memory.
     *
     * @param device any device
     * @param q [B, T, H, K]
     * @param k [B, T, H, K]
     * @param v [B, T, HV, V]
     * @return whether {@link #apply} can be called
     */
    public static boolean fits(CudaDevice device, NDArray q, NDArray k, NDArray v) {
        long states = k.getShape().get(0) * v.getShape().get(2);
        return k.getShape().get(3) <= MOST_KEY_DIM
                && states <= MOST_STATES
                && plan(device, DeltaBackwardLayout.of(q, k, v, true), (int) states).isPresent();
    }

    /**
     * Computes the gradients. Those of padding are zero.
     *
     * @param device where the tensors lie
     * @param q [B, T, H, K]; read in bfloat16 if q, k and v all are that, else in float32
     * @param k [B, T, H, K], likewise
     * @param v [B, T, HV, V], likewise; HV is a multiple of H
     * @param beta β, [B, T, HV]; null for no correction
     * @param logDecay g, [B, T, HV]; null for zero
     * @param scale what outputs were multiplied by
     * @param state before the first token, [B, HV, K, V]; null for zero
     * @param positions int64 [B, T], 0 where the state is emptied, −1 at padding, which stands at
     *     the ends of rows; null if neither occurs
     * @param values the gradient of the outputs, [B, T, HV, V]; null for zero
     * @param lastState the gradient of the state after the last token, [B, HV, K, V]; null for zero
     * @return the gradients, in k's manager
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if a kernel cannot be compiled or launched
     */
    public static Gradients apply(
            CudaDevice device,
            NDArray q,
            NDArray k,
            NDArray v,
            NDArray beta,
            NDArray logDecay,
            double scale,
            NDArray state,
            NDArray positions,
            NDArray values,
            NDArray lastState) {
        Operand.requireSameDevice(k, q, v, beta, logDecay, state, positions, values, lastState);
        try (TensorScope scope = new TensorScope()) {
            DeltaBackwardArguments given =
                    new DeltaBackwardArguments(
                            q, k, v, beta, logDecay, state, positions, values, lastState);
            DeltaRuleBackwardKernel kernel =
                    new DeltaRuleBackwardKernel(device, given.readable(), scale);
            kernel.prepare();
            kernel.computeStates();
            kernel.computeValues();
            kernel.computeInputs();
            Stream.of(kernel.gradients.toArray()).filter(Objects::nonNull).forEach(scope::pass);
            return kernel.gradients;
        }
    }

    private void prepare() {
        device.kernel(PREPARE, constants, "prepare")
                .launch(
                        new Kernel.Size(chunks, states, PREPARE_THREADS, 1, layout.prepareBytes()),
                        Torch.address(given.q()),
                        Torch.address(given.k()),
                        Operand.address(given.beta()),
                        Operand.address(given.logDecay()),
                        Operand.address(given.positions()),
                        Torch.address(scores),
                        Operand.address(inverses),
                        Torch.address(factors),
                        tokens,
                        heads,
                        group,
                        scale);
    }

    private void computeStates() {
        device.kernel(STATES, constants, "states")
                .launch(
                        scan(layout.statesBytes(plan.warps())),
                        Torch.address(given.k()),
                        Torch.address(given.v()),
                        Operand.address(inverses),
                        Torch.address(factors),
                        Operand.address(given.state()),
                        Torch.address(entering),
                        Torch.address(residuals),
                        tokens,
                        heads,
                        group,
                        chunks);
    }

    private void computeValues() {
        device.kernel(VALUES, constants, "values")
                .launch(
                        scan(layout.valuesBytes(plan.warps())),
                        Torch.address(given.q()),
                        Torch.address(given.k()),
                        Torch.address(given.values()),
                        Torch.address(scores),
                        Operand.address(inverses),
                        Torch.address(factors),
                        Operand.address(given.lastState()),
                        Torch.address(leaving),
                        Torch.address(gradients.v()),
                        Operand.address(gradients.state()),
                        tokens,
                        heads,
                        group,
                        chunks,
                        scale);
    }

    private Kernel.Size scan(int stageBytes) {
        return new Kernel.Size(
                plan.slices(layout), states, plan.threads(), 1, plan.stages() * stageBytes);
    }

    private void computeInputs() {
        NDArray querySums = group > 1 ? sums(given.q()) : null;
        NDArray keySums = group > 1 ? sums(given.k()) : null;
        int threads = 2 * 32 * layout.columnWarps();
        int shared = layout.inputsBytes(plan.panel(), plan.ring());
        device.kernel(INPUTS, constants, "inputs")
                .launch(
                        new Kernel.Size(chunks, states / group, threads, 1, shared),
                        Torch.address(given.q()),
                        Torch.address(given.k()),
                        Torch.address(given.values()),
                        Torch.address(gradients.v()),
                        Torch.address(residuals),
                        Torch.address(entering),
                        Torch.address(leaving),
                        Torch.address(factors),
                        Torch.address(gradients.q()),
                        Torch.address(gradients.k()),
                        Operand.address(gradients.beta()),
                        Operand.address(gradients.logDecay()),
                        Operand.address(querySums),
                        Operand.address(keySums),
                        tokens,
                        heads,
                        group,
                        scale);
    }

    private NDArray sums(NDArray array) {
        return given.allocate(ScalarType.FLOAT32, array.getShape().getShape());
    }
}
