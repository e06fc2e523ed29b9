package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** One run of the kernels of the delta rule's backward, in their order. */
final class DeltaBackwardPass {

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
    private final HeadRows residuals;
    private final DeltaRuleBackwardKernel.Gradients gradients;

    /** Allocates what passes between the kernels, and the gradients. */
    DeltaBackwardPass(CudaDevice device, DeltaBackwardArguments given, double scale) {
        this.device = device;
        this.given = given;
        this.scale = Float.floatToRawIntBits((float) scale);
        tokens = given.tokens();
        heads = given.heads();
        group = given.valueHeads() / heads;
        chunks = given.chunks();
        states = given.rows() * given.valueHeads();
        layout = given.layout();
        plan = DeltaBackwardPlan.of(layout, states, device).orElseThrow();
        Variant variant =
                new Variant(layout, plan, given.logDecay() != null, given.isAligned(), group > 1);
        constants = CONSTANTS.computeIfAbsent(variant, Variant::constants);
        long triangle = (long) DeltaBackwardLayout.TRIANGLE_ROWS * DeltaBackwardLayout.TILE;
        scores = given.allocate(states, chunks, triangle);
        inverses = layout.corrects() ? given.allocate(states, chunks, triangle) : null;
        factors = given.allocate(ScalarType.FLOAT32, states, chunks, DeltaBackwardLayout.FACTORS);
        entering = given.allocate(states, chunks, layout.values(), layout.keys());
        leaving = given.like(entering);
        residuals =
                layout.corrects()
                        ? HeadRows.of(
                                given.k().array().getManager(),
                                given.like(given.v().array()),
                                Torch.typeOf(given.v().array()))
                        : given.v();
        gradients =
                new DeltaRuleBackwardKernel.Gradients(
                        given.like(given.q().array()),
                        given.like(given.k().array()),
                        given.like(given.v().array()),
                        given.like(given.beta()),
                        given.like(given.logDecay()),
                        given.like(given.state()));
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
        return Sources.of(
                "delta_backward_" + part + ".cu",
                "tensor_core.cuh",
                "tiles.cuh",
                "delta_backward.cuh");
    }

    /** Runs the kernels and returns the gradients. */
    DeltaRuleBackwardKernel.Gradients run() {
        prepare();
        computeStates();
        computeValues();
        computeInputs();
        return gradients;
    }

    private void prepare() {
        device.kernel(PREPARE, constants, "prepare")
                .launch(
                        new Kernel.Size(chunks, states, PREPARE_THREADS, 1, layout.prepareBytes()),
                        TensorMemory.address(given.q().array()),
                        TensorMemory.address(given.k().array()),
                        Operand.address(given.beta()),
                        Operand.address(given.logDecay()),
                        Operand.address(given.positions()),
                        TensorMemory.address(scores),
                        Operand.address(inverses),
                        TensorMemory.address(factors),
                        given.q().row(),
                        given.q().token(),
                        given.q().head(),
                        given.k().row(),
                        given.k().token(),
                        given.k().head(),
                        tokens,
                        heads,
                        group,
                        scale);
    }

    private void computeStates() {
        device.kernel(STATES, constants, "states")
                .launch(
                        scan(layout.statesBytes(plan.warps())),
                        TensorMemory.address(given.k().array()),
                        TensorMemory.address(given.v().array()),
                        Operand.address(inverses),
                        TensorMemory.address(factors),
                        Operand.address(given.state()),
                        TensorMemory.address(entering),
                        TensorMemory.address(residuals.array()),
                        given.k().row(),
                        given.k().token(),
                        given.k().head(),
                        given.v().row(),
                        given.v().token(),
                        given.v().head(),
                        tokens,
                        heads,
                        group,
                        chunks);
    }

    private void computeValues() {
        device.kernel(VALUES, constants, "values")
                .launch(
                        scan(layout.valuesBytes(plan.warps())),
                        TensorMemory.address(given.q().array()),
                        TensorMemory.address(given.k().array()),
                        TensorMemory.address(given.values()),
                        TensorMemory.address(scores),
                        Operand.address(inverses),
                        TensorMemory.address(factors),
                        Operand.address(given.lastState()),
                        TensorMemory.address(leaving),
                        TensorMemory.address(gradients.v()),
                        Operand.address(gradients.state()),
                        given.q().row(),
                        given.q().token(),
                        given.q().head(),
                        given.k().row(),
                        given.k().token(),
                        given.k().head(),
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
        NDArray querySums = group > 1 ? sums(given.q().array()) : null;
        NDArray keySums = group > 1 ? sums(given.k().array()) : null;
        int threads = 2 * 32 * layout.columnWarps();
        int shared = layout.inputsBytes(plan.panel(), plan.ring());
        device.kernel(INPUTS, constants, "inputs")
                .launch(
                        new Kernel.Size(chunks, states / group, threads, 1, shared),
                        TensorMemory.address(given.q().array()),
                        TensorMemory.address(given.k().array()),
                        TensorMemory.address(given.values()),
                        TensorMemory.address(gradients.v()),
                        TensorMemory.address(residuals.array()),
                        TensorMemory.address(entering),
                        TensorMemory.address(leaving),
                        TensorMemory.address(factors),
                        TensorMemory.address(gradients.q()),
                        TensorMemory.address(gradients.k()),
                        Operand.address(gradients.beta()),
                        Operand.address(gradients.logDecay()),
                        Operand.address(querySums),
                        Operand.address(keySums),
                        given.q().row(),
                        given.q().token(),
                        given.q().head(),
                        given.k().row(),
                        given.k().token(),
                        given.k().head(),
                        residuals.row(),
                        residuals.token(),
                        residuals.head(),
                        tokens,
                        heads,
                        group,
                        scale);
    }

    private NDArray sums(NDArray array) {
        return given.allocate(ScalarType.FLOAT32, array.getShape().getShape());
    }
}
