package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
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
 * f(a) · b as one kernel forward and one backward, which computes f again rather than keep it. The
 * result has a's type. bfloat16 and float32 are read as they are, other types are converted.
 *
 * <p>It is applied to a and b, two tensors of one shape [..., F].
 */
public final class GatedProductOperation implements Operation {

    private static final KernelSource SOURCE = Sources.of("gated_product.cu", "rows.cuh");
    private static final int THREADS = 256;
    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private final CudaDevice device;
    private final Function function;
    private NDArray[] inputs;

    /** f, which is x·σ(x·(slope + cubic·x²)). */
    public enum Function {
        /** x·σ(x). */
        SILU("1.0f", "0.0f"),
        /** GELU in its tanh form: 2√(2/π) and 0.044715 times as much. */
        GELU_TANH("1.5957691216057308f", "0.0713548162726009f");

        private final String slope;
        private final String cubic;

        Function(String slope, String cubic) {
            this.slope = slope;
            this.cubic = cubic;
        }

        String slope() {
            return slope;
        }

        String cubic() {
            return cubic;
        }
    }

    /** What the source is specialised on. */
    private record Variant(Function function, String a, String b, int pack) {

        Constants constants() {
            return Constants.none()
                    .with("A_TYPE", a)
                    .with("B_TYPE", b)
                    .with("VECTOR", pack)
                    .with("THREADS", THREADS)
                    .with("SLOPE", function.slope)
                    .with("CUBIC", function.cubic);
        }
    }

    /**
     * Readable inputs.
     *
     * @param width elements of a row
     */
    private record Operands(Rows a, Rows b, long width) {

        long rows() {
            return a.array().size() / width;
        }
    }

    /**
     * Constructs an operation.
     *
     * @param device where the tensors lie
     * @param function f
     */
    public GatedProductOperation(CudaDevice device, Function function) {
        this.device = device;
        this.function = function;
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalArgumentException if shapes do not fit together, or tensors lie elsewhere
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    @Override
    public NDArray[] forward(NDArray... arrays) {
        inputs = arrays;
        NDArray a = arrays[0];
        NDArray b = arrays[1];
        Operand.requireSameDevice(a, b);
        if (!a.getShape().equals(b.getShape())) {
            throw new IllegalArgumentException(
                    "A gated product needs two tensors of one shape, not "
                            + a.getShape()
                            + " and "
                            + b.getShape());
        }
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = a.getManager();
            Operands operands = operands(manager);
            ScalarType type = Torch.typeOf(operands.a().array());
            NDArray y = Torch.empty(manager, a.getShape(), type, a.getDevice());
            launch("gated_product", operands, y, operands.a().stride(), operands.b().stride());
            return new NDArray[] {scope.pass(Torch.cast(manager, y, Torch.typeOf(a)))};
        }
    }

    private Operands operands(NDManager manager) {
        NDArray a = Operand.known(manager, inputs[0]);
        NDArray b = Operand.known(manager, inputs[1]);
        if (!TensorMemory.isContiguous(a) || !TensorMemory.isContiguous(b)) {
            long last = a.getShape().get(a.getShape().dimension() - 1);
            Rows rowsOfA = Rows.of(manager, a, last);
            Rows rowsOfB = Rows.of(manager, b, last);
            if (rowsOfA.width() == rowsOfB.width()) {
                return new Operands(rowsOfA, rowsOfB, rowsOfA.width());
            }
        }
        return new Operands(
                Rows.dense(manager, a, a.size()), Rows.dense(manager, b, b.size()), a.size());
    }

    /** {@inheritDoc} */
    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = inputs[0].getManager();
            Operands operands = operands(manager);
            NDArray dy = Operand.readable(manager, gradients[0]);
            NDArray da = like(manager, operands.a().array());
            NDArray db = like(manager, operands.b().array());
            launch(
                    "gated_product_backward",
                    operands,
                    dy,
                    TensorMemory.address(da),
                    TensorMemory.address(db),
                    operands.a().stride(),
                    operands.b().stride(),
                    operands.width());
            return new NDArray[] {scope.pass(da), scope.pass(db)};
        }
    }

    private static NDArray like(NDManager manager, NDArray array) {
        return Torch.empty(manager, array.getShape(), Torch.typeOf(array), array.getDevice());
    }

    /** Launches a kernel on a, b and a third tensor of a's type, which is dense. */
    private void launch(String name, Operands operands, NDArray third, long... more) {
        NDArray a = operands.a().array();
        NDArray b = operands.b().array();
        long[] lengths = {operands.width(), operands.a().stride(), operands.b().stride()};
        int pack = Packs.size(Packs.fullest(a, b), lengths, a, b, third);
        Variant variant = new Variant(function, Operand.type(a), Operand.type(b), pack);
        long pieces = (operands.width() + (long) THREADS * pack - 1) / ((long) THREADS * pack);
        long[] arguments = new long[more.length + 5];
        arguments[0] = TensorMemory.address(a);
        arguments[1] = TensorMemory.address(b);
        arguments[2] = TensorMemory.address(third);
        System.arraycopy(more, 0, arguments, 3, more.length);
        arguments[more.length + 3] = operands.width();
        arguments[more.length + 4] = pieces;
        device.kernel(SOURCE, CONSTANTS.computeIfAbsent(variant, Variant::constants), name)
                .launch(
                        new Kernel.Size(Math.toIntExact(operands.rows() * pieces), 1, THREADS, 1),
                        arguments);
    }

    @Override
    public void close() {
        // The inputs are not its own.
    }
}
