package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * h_t = a_t·h_{t−1} + x_t as a kernel that reads each input once and writes h once, and its
 * gradients as one that reads a, h and the gradient of h once. Where B·E is too small to fill the
 * device, time is cut into segments (see {@link TimeScan}). States and adjoints are float32.
 *
 * <p>Inputs are x [B, T, E], a [B, T, E] and the state that enters [B, E] or null for zero;
 * bfloat16 and float32 are read as they are, other types are converted. Outputs are h, float32 [B,
 * T, E], unspecified at padding, and h after the last token, float32 [B, E].
 */
public final class LinearRecurrenceOperation implements Operation {

    private static final KernelSource SOURCE =
            Sources.of(
                    "linear_recurrence.cu", "special_functions.cuh", "pointwise.cuh", "scan.cuh");

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private final CudaDevice device;
    private final NDArray positions;
    private NDArray x;
    private NDArray decay;
    private NDArray state;
    private NDArray values;

    /**
     * Constructs the operation. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param positions int64 [B, T], where 0 counts the decay as 0 and −1 changes nothing; null if
     *     neither occurs
     */
    public LinearRecurrenceOperation(CudaDevice device, NDArray positions) {
        this.device = device;
        this.positions = positions;
    }

    /** What the source is specialised on. */
    private record Variant(String x, String decay, boolean positions, ScanTile tile) {

        Constants constants() {
            return tile.addTo(Constants.none())
                    .with("X_TYPE", x)
                    .with("A_TYPE", decay)
                    .with("POSITIONS", positions ? 1 : 0);
        }
    }

    @Override
    public NDArray[] forward(NDArray... inputs) {
        x = inputs[0];
        decay = inputs[1];
        state = inputs[2];
        Operand.requireSameDevice(x, decay, state, positions);
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = x.getManager();
            NDArray input = Operand.readable(manager, x);
            NDArray factor = Operand.readable(manager, decay);
            NDArray marks = Operand.dense(manager, positions);
            TimeScan scan = scan(input, factor);
            values = scan.allocate(x.getShape().getShape());
            NDArray last = scan.allocate(x.getShape().get(0), x.getShape().get(2));
            long[] summary = {
                TensorMemory.address(input), TensorMemory.address(factor), Operand.address(marks)
            };
            long[] arguments = {summary[0], summary[1], summary[2], TensorMemory.address(values)};
            scan.forward(arguments, summary, Operand.wide(manager, state), last);
            return new NDArray[] {scope.pass(values), scope.pass(last)};
        }
    }

    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = x.getManager();
            NDArray factor = Operand.readable(manager, decay);
            NDArray gradient = Operand.wideOrZeros(manager, gradients[0], values);
            NDArray marks = Operand.dense(manager, positions);
            NDArray dx = Operand.emptyReadable(manager, x);
            NDArray ddecay = Operand.emptyReadable(manager, decay);
            TimeScan scan = scan(dx, factor);
            Shape shape = x.getShape();
            NDArray dstate = wanted[2] ? scan.allocate(shape.get(0), shape.get(2)) : null;
            long[] summary = {
                TensorMemory.address(factor), TensorMemory.address(gradient), Operand.address(marks)
            };
            long[] arguments = {
                TensorMemory.address(factor),
                TensorMemory.address(values),
                TensorMemory.address(gradient),
                Operand.address(marks),
                Operand.address(Operand.wide(manager, state)),
                TensorMemory.address(dx),
                TensorMemory.address(ddecay)
            };
            scan.backward(arguments, summary, Operand.wide(manager, gradients[1]), dstate);
            return new NDArray[] {
                scope.pass(dx), scope.pass(ddecay), dstate == null ? null : scope.pass(dstate)
            };
        }
    }

    private TimeScan scan(NDArray input, NDArray factor) {
        Shape shape = x.getShape();
        int channels = Operand.neighbours(2, shape.get(2), input, factor);
        boolean wide = Operand.isWide(input) && Operand.isWide(factor);
        // Enough loads under way to hide memory's latency, in blocks that all fit in at once.
        ScanTile busy = wide ? new ScanTile(32, channels, 8, 4) : new ScanTile(32, channels, 4, 8);
        ScanTile tile = busy.adapted(shape, device.multiprocessors());
        Variant variant =
                new Variant(Operand.type(input), Operand.type(factor), positions != null, tile);
        Constants constants = CONSTANTS.computeIfAbsent(variant, Variant::constants);
        return new TimeScan(device, SOURCE, constants, tile, input);
    }

    @Override
    public void close() {
        values = null;
    }
}
