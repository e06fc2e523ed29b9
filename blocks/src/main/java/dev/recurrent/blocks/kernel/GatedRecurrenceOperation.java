package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The RG-LRU from its gates' pre-activations on ({@code gated_recurrence.cu}): one kernel forward,
 * and one backward that computes the gates again, so that only h is kept.
 *
 * <p>Inputs are u [B, T, E]; the products of the input gate and of the recurrent gate [blocks, B·T,
 * E / blocks]; their biases and Λ, each of E elements; and the state that enters [B, E] or null for
 * zero. bfloat16 and float32 are read as they are, other types are converted. Outputs are h [B, T,
 * E], of the type that u is read as, unspecified at padding, and h after the last token, float32
 * [B, E].
 */
public final class GatedRecurrenceOperation implements Operation {

    private static final KernelSource SOURCE =
            Sources.of(
                    "gated_recurrence.cu",
                    "special_functions.cuh",
                    "pointwise.cuh",
                    "rg_lru.cuh",
                    "scan.cuh");

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    /** The gradients of both biases and Λ. */
    private static final int SUMS = 3;

    private final CudaDevice device;
    private final NDArray positions;
    private final boolean fresh;
    private NDArray[] inputs;
    private NDArray values;

    /**
     * Constructs the operation. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param positions int64 [B, T]; null if no document starts inside a row and there is no
     *     padding
     * @param fresh without positions, whether documents start at the first token of all rows
     */
    public GatedRecurrenceOperation(CudaDevice device, NDArray positions, boolean fresh) {
        this.device = device;
        this.positions = positions;
        this.fresh = fresh;
    }

    /** What the source is specialised on. */
    private record Variant(
            String u, String gates, String parameters, boolean positions, ScanTile tile) {

        Constants constants() {
            return tile.addTo(Constants.none())
                    .with("U_TYPE", u)
                    .with("G_TYPE", gates)
                    .with("P_TYPE", parameters)
                    .with("H_TYPE", u)
                    .with("POSITIONS", positions ? 1 : 0);
        }
    }

    /** The inputs as kernels take them. */
    private record Read(
            NDArray u,
            NDArray inputGate,
            NDArray recurrentGate,
            NDArray inputBias,
            NDArray recurrentBias,
            NDArray lambda,
            NDArray state,
            NDArray positions) {

        static Read of(NDArray[] inputs, NDArray positions) {
            NDManager manager = inputs[0].getManager();
            NDArray[] gates = Operand.readableAlike(manager, inputs[1], inputs[2]);
            NDArray[] parameters = Operand.readableAlike(manager, inputs[3], inputs[4], inputs[5]);
            return new Read(
                    Operand.readable(manager, inputs[0]),
                    gates[0],
                    gates[1],
                    parameters[0],
                    parameters[1],
                    parameters[2],
                    Operand.wide(manager, inputs[6]),
                    Operand.dense(manager, positions));
        }

        long rows() {
            return u.getShape().get(0);
        }

        long width() {
            return u.getShape().get(2);
        }

        long gateWidth() {
            return inputGate.getShape().get(2);
        }

        boolean isWide() {
            return Operand.isWide(u);
        }

        Variant variant(ScanTile tile) {
            return new Variant(
                    Operand.type(u),
                    Operand.type(inputGate),
                    Operand.type(lambda),
                    positions != null,
                    tile);
        }

        /** How many channels a lane takes: neighbours in a block of gates are so everywhere. */
        int channels() {
            return Operand.neighbours(2, gateWidth(), u, inputGate, recurrentGate);
        }
    }

    @Override
    public NDArray[] forward(NDArray... arrays) {
        inputs = arrays;
        Operand.requireSameDevice(arrays[0], arrays);
        try (TensorScope scope = new TensorScope()) {
            Read read = Read.of(inputs, positions);
            int channels = read.channels();
            // What was measured to fill the device with registers and loads under way.
            ScanTile tile =
                    read.isWide()
                            ? new ScanTile(32, channels, 8, 4)
                            : new ScanTile(16, channels, 4, 8);
            TimeScan scan = scan(read, tile);
            values = Operand.emptyReadable(inputs[0].getManager(), inputs[0]);
            NDArray last = scan.allocate(read.rows(), read.width());
            long[] common = {
                TensorMemory.address(read.u()),
                TensorMemory.address(read.inputGate()),
                TensorMemory.address(read.recurrentGate()),
                TensorMemory.address(read.inputBias()),
                TensorMemory.address(read.recurrentBias()),
                TensorMemory.address(read.lambda()),
                Operand.address(read.positions())
            };
            long[] sizes = {read.rows(), read.gateWidth(), fresh ? 1 : 0};
            scan.forward(
                    join(common, new long[] {TensorMemory.address(values)}, sizes),
                    join(common, sizes),
                    read.state(),
                    last);
            return new NDArray[] {scope.pass(values), scope.pass(last)};
        }
    }

    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = inputs[0].getManager();
            Read read = Read.of(inputs, positions);
            int teams = read.isWide() ? 8 : 4;
            TimeScan scan = scan(read, new ScanTile(32, read.channels(), 4, teams));
            NDArray gradient =
                    Operand.likeOrZeros(manager, gradients[0], values.getShape(), values);
            NDArray du = Operand.emptyReadable(manager, read.u());
            NDArray dinput = Operand.emptyReadable(manager, read.inputGate());
            NDArray drecurrent = Operand.emptyReadable(manager, read.recurrentGate());
            NDArray dstate = wanted[6] ? scan.allocate(read.rows(), read.width()) : null;
            NDArray sums = scan.allocate(read.rows() * scan.segments(), SUMS, read.width());
            long[] parameters = {
                TensorMemory.address(read.inputBias()),
                TensorMemory.address(read.recurrentBias()),
                TensorMemory.address(read.lambda())
            };
            long[] gates = {
                TensorMemory.address(read.u()),
                TensorMemory.address(read.inputGate()),
                TensorMemory.address(read.recurrentGate())
            };
            long[] tensors = {
                Operand.address(read.positions()),
                TensorMemory.address(values),
                TensorMemory.address(gradient),
                Operand.address(read.state()),
                TensorMemory.address(du),
                TensorMemory.address(dinput),
                TensorMemory.address(drecurrent),
                TensorMemory.address(sums)
            };
            long[] sizes = {read.rows(), read.gateWidth(), fresh ? 1 : 0};
            long[] marked = {TensorMemory.address(gradient), Operand.address(read.positions())};
            scan.backward(
                    join(gates, parameters, tensors, sizes),
                    join(new long[] {gates[2]}, parameters, marked, sizes),
                    Operand.wide(manager, gradients[1]),
                    dstate);
            NDArray total = ColumnSums.of(device, sums, SUMS * read.width());
            return new NDArray[] {
                scope.pass(du),
                scope.pass(dinput),
                scope.pass(drecurrent),
                scope.pass(part(total, 0, inputs[3])),
                scope.pass(part(total, 1, inputs[4])),
                scope.pass(part(total, 2, inputs[5])),
                dstate == null ? null : scope.pass(dstate)
            };
        }
    }

    /** One of the sums, of a parameter's shape. */
    private static NDArray part(NDArray total, int index, NDArray parameter) {
        long size = parameter.size();
        return Aten.narrow(total, 0, index * size, size).reshape(parameter.getShape());
    }

    private TimeScan scan(Read read, ScanTile busy) {
        ScanTile tile = busy.adapted(read.u().getShape(), device.multiprocessors());
        Variant variant = read.variant(tile);
        Constants constants = CONSTANTS.computeIfAbsent(variant, Variant::constants);
        return new TimeScan(device, SOURCE, constants, tile, read.u());
    }

    private static long[] join(long[]... parts) {
        return Arrays.stream(parts).flatMapToLong(Arrays::stream).toArray();
    }

    @Override
    public void close() {
        values = null;
    }
}
