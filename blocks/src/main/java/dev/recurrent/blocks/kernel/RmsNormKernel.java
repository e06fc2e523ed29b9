package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.kernel.RmsNormOperation.Form;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The launches of {@code rms_norm.cu} for given tensors. */
final class RmsNormKernel {

    private static final KernelSource SOURCE = Sources.of("rms_norm.cu", "rows.cuh");

    /** Parts of a row, such as heads, that are worth blocks of their own. */
    private static final int MOST_PARTS = 1024;

    private static final Map<RmsNormVariant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private final CudaDevice device;
    private final NDManager manager;
    private final Form form;
    private final RmsNormSettings settings;
    private final NDArray x;
    private final NDArray weight;
    private final NDArray update;
    private final Rows gate;
    private final int size;
    private final int parts;
    private final long rows;

    /**
     * What the forward returns.
     *
     * @param sum of x and the update, of the type that x was read in; null without one
     * @param y bfloat16 if that is wanted, else float32
     */
    record Output(NDArray sum, NDArray y) {}

    /**
     * Makes the tensors readable.
     *
     * @param other the gate or the update; null where the form has none, and for the update in the
     *     backward, where x is the sum
     */
    RmsNormKernel(
            CudaDevice device,
            Form form,
            RmsNormSettings settings,
            NDArray x,
            NDArray weight,
            NDArray other) {
        this.device = device;
        this.form = form;
        this.settings = settings;
        Operand.requireSameDevice(x, weight, other);
        check(x, weight, other);
        manager = x.getManager();
        this.x = Operand.readable(manager, x);
        this.weight = Operand.readable(manager, weight);
        boolean adds = form == Form.ADD_THEN_NORM && other != null;
        update = adds ? Operand.readable(manager, other) : null;
        gate = isGated() ? gates(other) : null;
        long width = gate == null ? weight.size() : gate.width();
        size = Math.toIntExact(weight.size() / settings.parts());
        parts = Math.toIntExact(width / size);
        rows = x.size() / width;
    }

    static boolean fits(long size) {
        return size <= RmsNormVariant.MOST_SIZE;
    }

    private static void check(NDArray x, NDArray weight, NDArray other) {
        Shape shape = x.getShape();
        if (shape.dimension() == 0 || shape.get(shape.dimension() - 1) != weight.size()) {
            throw new IllegalArgumentException(
                    "x " + shape + " must end in the weight's " + weight.size());
        }
        if (other != null && !other.getShape().equals(shape)) {
            throw new IllegalArgumentException(
                    "A gate or an update of x " + shape + " cannot be " + other.getShape());
        }
    }

    private boolean isGated() {
        return form == Form.NORM_THEN_GATE || form == Form.GATE_THEN_NORM;
    }

    private Rows gates(NDArray other) {
        NDArray gates = Operand.known(manager, other);
        Rows found = Rows.of(manager, gates, weight.size());
        // A row of several weights has parts of one size only if the weight is one part.
        boolean regular =
                settings.parts() == 1
                        && found.width() % weight.size() == 0
                        && found.width() / weight.size() <= MOST_PARTS;
        return regular || found.width() == weight.size()
                ? found
                : Rows.dense(manager, gates, weight.size());
    }

    Output forward() {
        boolean narrow = settings.result() == ScalarType.BFLOAT16;
        NDArray y = allocate(narrow ? ScalarType.BFLOAT16 : ScalarType.FLOAT32);
        NDArray sum = update == null ? null : like(x);
        ScalarType added = update == null ? null : Torch.typeOf(update);
        RmsNormVariant variant = variant(added, y).forward(packs(Packs.fullest(x, y, gates()), y));
        kernel(variant, "rms_norm")
                .launchEarly(
                        variant.block((rows + variant.parts() - 1) / variant.parts(), parts),
                        TensorMemory.address(x),
                        Operand.address(update),
                        Operand.address(gates()),
                        TensorMemory.address(weight),
                        Operand.address(sum),
                        TensorMemory.address(y),
                        rows,
                        size,
                        gateStride(),
                        weightStep(),
                        Float.floatToRawIntBits((float) settings.epsilon()));
        return new Output(sum, y);
    }

    /**
     * Differentiates. Where an update is added, x is the sum.
     *
     * @param gradient of y
     * @param ofSum gradient of the sum; null for none
     * @param added the update's type; null without one
     * @param weightWanted whether the weight's gradient is
     * @param otherWanted whether the gate's or the update's gradient is
     * @return of x, of the weight (float32) and of the other; null for the last where it is not
     *     wanted or is that of x
     */
    NDArray[] backward(
            NDArray gradient,
            NDArray ofSum,
            ScalarType added,
            boolean weightWanted,
            boolean otherWanted) {
        NDArray dy = Operand.readable(manager, gradient);
        NDArray ds = ofSum == null ? null : Operand.readable(manager, ofSum);
        NDArray dx = like(x);
        ScalarType read = added == ScalarType.BFLOAT16 ? added : ScalarType.FLOAT32;
        boolean apart = added != null && read != Torch.typeOf(x);
        NDArray du = apart && otherWanted ? allocate(read) : null;
        NDArray dgate = gate == null ? null : allocate(Torch.typeOf(gate.array()));
        RmsNormVariant variant =
                variant(added, dy).backward(packs(RmsNormVariant.BACKWARD_PACK, dy, ds));
        long blocks = variant.blocksSharing(rows, parts, device.multiprocessors());
        NDArray sums =
                Torch.empty(
                        manager, new Shape(blocks, parts, size), ScalarType.FLOAT32, x.getDevice());
        kernel(variant, "rms_norm_backward")
                .launch(
                        variant.block(blocks, parts),
                        TensorMemory.address(x),
                        Operand.address(gates()),
                        TensorMemory.address(weight),
                        TensorMemory.address(dy),
                        Operand.address(ds),
                        TensorMemory.address(dx),
                        Operand.address(du),
                        Operand.address(dgate),
                        TensorMemory.address(sums),
                        rows,
                        size,
                        gateStride(),
                        weightStep(),
                        Float.floatToRawIntBits((float) settings.epsilon()));
        NDArray dw = weightWanted ? ColumnSums.of(device, sums, weight.size()) : null;
        return form == Form.PLAIN
                ? new NDArray[] {dx, dw}
                : new NDArray[] {dx, dw, gate == null ? du : dgate};
    }

    private RmsNormVariant variant(ScalarType added, NDArray y) {
        return RmsNormVariant.of(
                form,
                settings.centred(),
                size,
                new RmsNormVariant.Types(
                        Operand.type(x),
                        Operand.type(weight),
                        added == null ? Operand.type(x) : Operand.type(added),
                        Operand.type(gate == null ? x : gates()),
                        Operand.type(y)));
    }

    private int packs(int most, NDArray... others) {
        int ofInputs =
                Packs.size(most, new long[] {size, gateStride()}, x, weight, update, gates());
        return Packs.size(ofInputs, new long[0], others);
    }

    private NDArray gates() {
        return gate == null ? null : gate.array();
    }

    private long gateStride() {
        return gate == null ? 0 : gate.stride();
    }

    /** Weights are shared by parts that are not the settings'. */
    private int weightStep() {
        return settings.parts() > 1 ? size : 0;
    }

    private Kernel kernel(RmsNormVariant variant, String name) {
        return device.kernel(
                SOURCE, CONSTANTS.computeIfAbsent(variant, RmsNormVariant::constants), name);
    }

    private NDArray like(NDArray array) {
        return allocate(Torch.typeOf(array));
    }

    private NDArray allocate(ScalarType type) {
        return Torch.empty(manager, x.getShape(), type, x.getDevice());
    }
}
