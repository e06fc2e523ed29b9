package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Operation;
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
 * −log softmax(logits)[label] of every row and log Σ exp(logits), as one kernel that reads logits
 * once forward, and one that reads them once and writes their gradient once. Nothing of the logits'
 * size is in float32 unless they are.
 *
 * <p>It is applied to logits [N, V], bfloat16 and float32 as they are and other types converted,
 * and labels int64 [N]; it returns losses and sums, float32 [N], both zero where labels are
 * ignored.
 */
public final class CrossEntropyOperation implements Operation {

    private static final KernelSource SOURCE = Sources.of("cross_entropy.cu", "rows.cuh");
    private static final int LANES = 32;
    private static final int MOST_WARPS = 16;

    /** Loads that a thread has under way. */
    private static final int ITEMS = 2;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private final CudaDevice device;
    private final long ignored;
    private NDArray logits;
    private NDArray labels;
    private NDArray sums;

    /** What the source is specialised on. */
    private record Variant(String type, int pack, int warps) {

        static Variant of(NDArray logits, long vocabulary) {
            int pack = Packs.fullest(logits);
            long useful = (vocabulary - 1) / ((long) LANES * pack * ITEMS) + 1;
            return new Variant(Operand.type(logits), pack, (int) Math.min(MOST_WARPS, useful));
        }

        Constants constants() {
            return Constants.none()
                    .with("TYPE", type)
                    .with("VECTOR", pack)
                    .with("WARPS", warps)
                    .with("ITEMS", ITEMS);
        }
    }

    /**
     * Constructs an operation.
     *
     * @param device where the tensors lie
     * @param ignored the label of rows that do not count; all others must be below V
     */
    public CrossEntropyOperation(CudaDevice device, long ignored) {
        this.device = device;
        this.ignored = ignored;
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalArgumentException if shapes do not fit together, or tensors lie elsewhere
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    @Override
    public NDArray[] forward(NDArray... arrays) {
        logits = arrays[0];
        labels = arrays[1];
        Operand.requireSameDevice(logits, labels);
        Shape shape = logits.getShape();
        if (shape.dimension() != 2 || !labels.getShape().equals(shape.slice(0, 1))) {
            throw new IllegalArgumentException(
                    "Logits "
                            + shape
                            + " and labels "
                            + labels.getShape()
                            + " must be [N, V], [N]");
        }
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = logits.getManager();
            NDArray losses = perRow(manager);
            NDArray lse = perRow(manager);
            NDArray read = Operand.readable(manager, logits);
            launch(
                    "cross_entropy",
                    read,
                    TensorMemory.address(read),
                    Operand.address(Operand.dense(manager, labels)),
                    TensorMemory.address(losses),
                    TensorMemory.address(lse),
                    shape.get(1),
                    ignored);
            sums = scope.keep(Torch.detach(manager, lse));
            return new NDArray[] {scope.pass(losses), scope.pass(lse)};
        }
    }

    private NDArray perRow(NDManager manager) {
        return Torch.empty(
                manager, labels.getShape(), ScalarType.FLOAT32, logits.getDevice()); // [N]
    }

    /** {@inheritDoc} */
    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = logits.getManager();
            NDArray read = Operand.readable(manager, logits);
            NDArray gradient =
                    Torch.empty(manager, logits.getShape(), Torch.typeOf(read), logits.getDevice());
            launch(
                    "cross_entropy_backward",
                    read,
                    TensorMemory.address(read),
                    Operand.address(Operand.dense(manager, labels)),
                    TensorMemory.address(sums),
                    Operand.address(Operand.wide(manager, gradients[0])),
                    Operand.address(Operand.wide(manager, gradients[1])),
                    TensorMemory.address(gradient),
                    logits.getShape().get(1),
                    ignored);
            return new NDArray[] {scope.pass(gradient), null};
        }
    }

    private void launch(String name, NDArray read, long... arguments) {
        Variant variant = Variant.of(read, read.getShape().get(1));
        int rows = Math.toIntExact(read.getShape().get(0));
        device.kernel(SOURCE, CONSTANTS.computeIfAbsent(variant, Variant::constants), name)
                .launch(new Kernel.Size(rows, 1, variant.warps() * LANES, 1), arguments);
    }

    @Override
    public void close() {
        if (sums != null) {
            sums.close();
        }
    }
}
