package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Rotary position embedding as one kernel, which computes its angles from positions on the device.
 * Its gradient is the same kernel, turning back.
 */
public final class RotaryKernel implements Operation {

    private static final KernelSource SOURCE = Sources.of("rotary_embedding.cu", "rotation.cuh");

    private static final int THREADS = 256;
    private static final int MOST_PACKS = 128;
    private static final int MOST_PACK_BYTES = 16;

    /** Heads a thread where there are many: its frequencies are computed once for all of them. */
    private static final int EACH = 8;

    /** Blocks for each multiprocessor below which a thread takes one head. */
    private static final int FULL = 8;

    private static final Map<Variant, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private final CudaDevice device;
    private final int rotaryDim;
    private final double theta;
    private NDArray positions;

    private RotaryKernel(CudaDevice device, long rotaryDim, double theta) {
        this.device = device;
        this.rotaryDim = Math.toIntExact(rotaryDim);
        this.theta = theta;
    }

    /** What the source is specialised on. */
    private record Variant(String type, int headDim, int rotaryDim, int pack) {

        Constants constants() {
            return Constants.none()
                    .with("TYPE", type)
                    .with("HEAD_DIM", headDim)
                    .with("ROTARY_DIM", rotaryDim)
                    .with("PACK", pack);
        }

        int packs() {
            return (headDim - rotaryDim / 2) / pack;
        }
    }

    /**
     * Rotates heads. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param x [B, T, H, K]; bfloat16 and float32 are read as they are, other types are converted
     * @param positions int64 [B, T]
     * @param rotaryDim R, even, at most K and at least 2
     * @param theta the base of the wavelengths
     * @return [B, T, H, K], of x's type, in x's manager
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws IllegalStateException if autograd records and there is no tape
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static NDArray apply(
            CudaDevice device, NDArray x, NDArray positions, long rotaryDim, double theta) {
        Operand.requireSameDevice(x, positions);
        return Tape.apply(new RotaryKernel(device, rotaryDim, theta), x, positions)[0];
    }

    @Override
    public NDArray[] forward(NDArray... inputs) {
        positions = inputs[1];
        return new NDArray[] {rotate(inputs[0], 1)};
    }

    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        return new NDArray[] {wanted[0] ? rotate(gradients[0], -1) : null, null};
    }

    private NDArray rotate(NDArray x, float direction) {
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = x.getManager();
            NDArray input = Operand.denseRows(manager, Operand.known(manager, x));
            NDArray places = Operand.dense(manager, positions);
            NDArray y = Torch.empty(manager, x.getShape(), Torch.typeOf(input), x.getDevice());
            launch(input, places, y, direction);
            return scope.pass(Torch.cast(manager, y, Torch.typeOf(x)));
        }
    }

    private void launch(NDArray x, NDArray places, NDArray y, float direction) {
        Shape shape = x.getShape();
        long[] strides = TensorMemory.strides(x);
        int items = Math.toIntExact(shape.get(0) * shape.get(1) * shape.get(2));
        int headDim = Math.toIntExact(shape.get(3));
        Variant variant =
                new Variant(Operand.type(x), headDim, rotaryDim, pack(x, strides, headDim));
        int threads = Math.min(MOST_PACKS, variant.packs());
        int together = THREADS / threads;
        int each = items / together < FULL * EACH * device.multiprocessors() ? 1 : EACH;
        int blocks = ceilDiv(items, together * each);
        device.kernel(SOURCE, CONSTANTS.computeIfAbsent(variant, Variant::constants), "rotate")
                .launch(
                        new Kernel.Size(blocks, 1, threads, together),
                        TensorMemory.address(x),
                        TensorMemory.address(places),
                        TensorMemory.address(y),
                        strides[0],
                        strides[1],
                        strides[2],
                        shape.get(1),
                        shape.get(2),
                        items,
                        each,
                        exponent(theta, rotaryDim),
                        Float.floatToRawIntBits(direction));
    }

    /** The bits of −2 log₂(θ) / R, which times i is the power of two that a plane turns by. */
    static long exponent(double theta, int rotaryDim) {
        return Double.doubleToRawLongBits(-2 * Math.log(theta) / Math.log(2) / rotaryDim);
    }

    private static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }

    /** How many neighbouring planes can be read at once, wherever a head begins. */
    private int pack(NDArray x, long[] strides, int headDim) {
        int bytes = Torch.typeOf(x).bytes();
        long places =
                rotaryDim / 2
                        | (headDim - rotaryDim)
                        | strides[0]
                        | strides[1]
                        | strides[2]
                        | TensorMemory.address(x) / bytes;
        return (int) Math.min(MOST_PACK_BYTES / bytes, Long.lowestOneBit(places));
    }

    @Override
    public void close() {
        // Inputs are not its own.
    }
}
